"""Mistakes to plant in the objects of production, with the rule that has to name each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k8s_manifests import Object, named

Change = Callable[[list[Object]], None]


def api_container(objects: list[Object]) -> Any:
    """The container of the Deployment api."""
    return named(objects, "Deployment", "api")["spec"]["template"]["spec"]["containers"][0]


def _unknown_field(o: list[Object]) -> None:
    named(o, "Deployment", "api")["spec"]["replica"] = 3


def _no_limit(o: list[Object]) -> None:
    del api_container(o)["resources"]["limits"]


def _no_probe(o: list[Object]) -> None:
    del api_container(o)["livenessProbe"]


def _escalates(o: list[Object]) -> None:
    api_container(o)["securityContext"]["allowPrivilegeEscalation"] = True


def _host_path(o: list[Object]) -> None:
    spec = named(o, "Deployment", "mlflow")["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}})


def _token(o: list[Object]) -> None:
    spec = named(o, "Job", "apply")["spec"]["template"]["spec"]
    spec["automountServiceAccountToken"] = True


def _account_with_token(o: list[Object]) -> None:
    del named(o, "ServiceAccount", "lockstep-jobs")["automountServiceAccountToken"]


def _latest(o: list[Object]) -> None:
    api_container(o)["image"] = "lockstep-api:latest"


def _no_tag(o: list[Object]) -> None:
    api_container(o)["image"] = "registry.example.com:5000/lockstep-api"


def _misspelt(o: list[Object]) -> None:
    named(o, "ConfigMap", "lockstep")["data"]["LOCKSTEP_LAKES"] = "s3://lake"


def _serving_misspelt(o: list[Object]) -> None:
    api_container(o)["env"].append({"name": "SERVING_KEY_FILE", "value": "/keys"})


def _literal(o: list[Object]) -> None:
    api_container(o)["env"].append({"name": "MLFLOW_TRACKING_PASSWORD", "value": "something"})


def _secret_object(o: list[Object]) -> None:
    o.append({"kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"a": "b"}})


def _password_in_address(o: list[Object]) -> None:
    named(o, "ConfigMap", "lockstep")["data"]["LOCKSTEP_LAKE"] = "redis://reader:word@redis:6379"


def _no_such_secret(o: list[Object]) -> None:
    api_container(o)["envFrom"].append({"secretRef": {"name": "lockstep-apis"}})


def _no_such_key(o: list[Object]) -> None:
    endpoint = named(o, "ServiceMonitor", "api")["spec"]["endpoints"][0]
    endpoint["authorization"]["credentials"]["key"] = "tokens"


def _no_such_account(o: list[Object]) -> None:
    spec = named(o, "Deployment", "api")["spec"]["template"]["spec"]
    spec["serviceAccountName"] = "lockstep-apis"


def _service_port(o: list[Object]) -> None:
    named(o, "Service", "api")["spec"]["ports"][0]["targetPort"] = "http"


def _monitor_port(o: list[Object]) -> None:
    named(o, "ServiceMonitor", "api")["spec"]["endpoints"][0]["port"] = "http"


def _probe_port(o: list[Object]) -> None:
    api_container(o)["livenessProbe"]["httpGet"]["port"] = 8001


def _selector(o: list[Object]) -> None:
    named(o, "Service", "api")["spec"]["selector"]["app.kubernetes.io/component"] = "apis"


def _budget(o: list[Object]) -> None:
    budget = named(o, "PodDisruptionBudget", "api")
    budget["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/name": "lockstep"}


def _replicas(o: list[Object]) -> None:
    named(o, "Deployment", "api")["spec"]["replicas"] = 3


def _elsewhere(o: list[Object]) -> None:
    named(o, "Service", "api")["metadata"]["namespace"] = "default"


MISTAKES: list[tuple[str, Change, str]] = [
    ("schema", _unknown_field, "replica"),
    ("resources", _no_limit, "Deployment api/api: no limit"),
    ("probes", _no_probe, "Deployment api/api: no livenessProbe"),
    ("security", _escalates, "Deployment api/api: may escalate"),
    ("security", _host_path, "volume host is a hostPath"),
    ("security", _token, "Job apply: must say that it has no token"),
    ("accounts", _account_with_token, "lockstep-jobs: has a token"),
    ("images", _latest, "lockstep-api:latest names no version"),
    ("images", _no_tag, "lockstep-api names no version"),
    ("variables", _misspelt, "nobody reads LOCKSTEP_LAKES"),
    ("variables", _serving_misspelt, "nobody reads SERVING_KEY_FILE"),
    ("secrets", _literal, "MLFLOW_TRACKING_PASSWORD is a literal"),
    ("secrets", _secret_object, "Secret keys: its values are in git"),
    ("secrets", _password_in_address, "an address with a password"),
    ("references", _no_such_secret, "nothing makes lockstep-apis"),
    ("references", _no_such_key, "lockstep-metrics has no key tokens"),
    ("references", _no_such_account, "no such account lockstep-apis"),
    ("ports", _service_port, "Service api: no pod has the port http"),
    ("ports", _monitor_port, "ServiceMonitor api: no service has the port http"),
    ("ports", _probe_port, "livenessProbe asks at 8001"),
    ("selectors", _selector, "Service api: chooses no pod"),
    ("selectors", _budget, "PodDisruptionBudget api: does not choose one"),
    ("selectors", _replicas, "its target has replicas of its own"),
    ("in place", _elsewhere, "Service api: not in lockstep"),
]
