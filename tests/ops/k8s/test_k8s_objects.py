"""Every object of both overlays against the rules, and each rule against a planted mistake."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from functools import partial

import kubernetes_validate
import pytest
from k8s_manifests import K8S, Object, named, of_kind, pod_template
from k8s_mistakes import MISTAKES, Change, api_container
from k8s_pod_rules import (
    account_faults,
    image_faults,
    probe_faults,
    resource_faults,
    security_faults,
)
from k8s_reference_rules import port_faults, reference_faults, selector_faults
from k8s_value_rules import (
    encryption_faults,
    secret_faults,
    secrets_of_production,
    variable_faults,
)
from programs import program

KUBERNETES = "1.37.0"
_CUSTOM = {"ServiceMonitor", "PrometheusRule"}  # test_k8s_monitors.py
_LOCAL = {
    "lockstep-redis": {"users.acl"},
    "lockstep-postgres": {"postgres_password"},
    "lockstep-s3": {"ROOT_ACCESS_KEY", "ROOT_SECRET_KEY"},
    "lockstep-s3-accounts": {"ADMIN_ACCESS_KEY", "ADMIN_SECRET_KEY"},
    "lockstep-backends": {"roles.sql", "s3-buckets"},
}
FORMS = secrets_of_production()
OUTSIDE = {name: set(keys) for name, keys in FORMS.items()} | _LOCAL
Rule = Callable[[list[Object]], Iterable[str]]


def schema_faults(objects: list[Object]) -> Iterable[str]:
    """What Kubernetes would not know; unknown fields too."""
    for obj in objects:
        if obj["kind"] not in _CUSTOM:
            try:
                kubernetes_validate.validate(obj, KUBERNETES, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{obj['kind']} {obj['metadata']['name']}: {error.message}"


def place_faults(objects: list[Object]) -> Iterable[str]:
    """Objects that lie in another namespace, or do not say to what they belong."""
    for obj in objects:
        if obj["kind"] != "Namespace" and obj["metadata"].get("namespace") != "lockstep":
            yield f"{obj['kind']} {obj['metadata']['name']}: not in lockstep"
        if obj["metadata"].get("labels", {}).get("app.kubernetes.io/name") != "lockstep":
            yield f"{obj['kind']} {obj['metadata']['name']}: not labelled"


RULES: dict[str, Rule] = {
    "schema": schema_faults,
    "security": security_faults,
    "resources": resource_faults,
    "probes": probe_faults,
    "images": image_faults,
    "accounts": account_faults,
    "references": partial(reference_faults, outside=OUTSIDE),
    "ports": port_faults,
    "selectors": selector_faults,
    "variables": variable_faults,
    "secrets": secret_faults,
    "in place": place_faults,
}


@pytest.mark.parametrize("rule", RULES)
def test_objects_keep_to_the_rule(objects: list[Object], rule: str) -> None:
    assert list(RULES[rule](objects)) == []


def test_production_reaches_nothing_in_the_clear(production: list[Object]) -> None:
    assert list(encryption_faults(production, FORMS)) == []


def test_the_namespace_takes_only_restricted_pods(objects: list[Object]) -> None:
    labels = named(objects, "Namespace", "lockstep")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert KUBERNETES.startswith(labels["pod-security.kubernetes.io/enforce-version"][1:])


def test_every_map_and_secret_of_the_list_is_used(production: list[Object]) -> None:
    text = "".join(map(str, production))
    assert [name for name in FORMS if f"'{name}'" not in text] == []


def test_only_jobs_write_the_registries(objects: list[Object]) -> None:
    users = {
        obj["metadata"]["labels"]["app.kubernetes.io/component"]
        for obj in objects
        if "'lockstep-jobs'" in str((pod_template(obj) or {}).get("spec", {}).get("containers"))
    }
    assert users == {"jobs"}
    for name in ("lockstep-api", "lockstep-exporter"):
        assert FORMS[name]["REDIS_URL"].startswith("rediss://reader:")
        assert FORMS[name]["MLFLOW_TRACKING_USERNAME"] == "reader"
    assert "FEAST_REGISTRY_URL" not in FORMS["lockstep-api"]
    assert "//feast_reader:" in FORMS["lockstep-ui"]["FEAST_REGISTRY_URL"]


def test_the_tag_stands_in_one_place() -> None:
    of_images = (K8S / "version" / "kustomization.yaml").read_text()
    files = [f for f in K8S.rglob("*.yaml") if "monitoring" not in f.parts]
    (tag,) = {
        r.split("newTag: ")[1].rstrip("}") for r in of_images.splitlines() if "lockstep-" in r
    }
    named_in = re.compile(rf"[: ]{re.escape(tag)}\b")
    assert [f.parent.name for f in files if named_in.search(f.read_text())] == ["version"]


def test_executors_run_the_image_of_the_jobs(objects: list[Object]) -> None:
    (container,) = named(objects, "Job", "apply")["spec"]["template"]["spec"]["containers"]
    assert (
        named(objects, "ConfigMap", "lockstep")["data"]["LOCKSTEP_JOBS_IMAGE"] == container["image"]
    )


@pytest.mark.parametrize(
    ("rule", "change", "fault"), MISTAKES, ids=[m[1].__name__ for m in MISTAKES]
)
def test_a_planted_mistake_is_named(
    production: list[Object], rule: str, change: Change, fault: str
) -> None:
    change(production)
    assert any(fault in found for found in RULES[rule](production))


@pytest.mark.parametrize(
    "url", ["redis://redis:6379/0", "http://s3:7070", "postgresql+psycopg://db/x?sslmode=require"]
)
def test_an_address_in_the_clear_is_named(production: list[Object], url: str) -> None:
    named(production, "ConfigMap", "lockstep")["data"]["LOCKSTEP_LAKE"] = url
    (fault,) = encryption_faults(production, FORMS)
    assert url in fault
    forms = {"lockstep-api": {"REDIS_URL": url}}
    assert len(list(encryption_faults(production, forms))) == 2


def test_an_open_port_is_named(production: list[Object]) -> None:
    api_container(production)["ports"] = [{"containerPort": 8000}]
    assert list(encryption_faults(production, FORMS)) == [
        "Deployment api/api: port 8000 has no TLS"
    ]


def test_the_scaler_does_not_flap(production: list[Object]) -> None:
    (scaler,) = of_kind(production, "HorizontalPodAutoscaler")
    spec = scaler["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 12)
    assert {m["type"] for m in spec["metrics"]} == {"ContainerResource", "Pods"}
    down, up = spec["behavior"]["scaleDown"], spec["behavior"]["scaleUp"]
    assert down["stabilizationWindowSeconds"] > up["stabilizationWindowSeconds"]
    assert [p["value"] for p in down["policies"]] == [1]


def test_files_are_in_style() -> None:
    files = [f for f in K8S.rglob("*.yaml") if "monitoring" not in f.parts]
    rules = "{extends: default, rules: {document-start: disable, line-length: {max: 120}, "
    rules += "comments: {min-spaces-from-content: 1}, octal-values: disable}}"
    done = subprocess.run(
        [program("yamllint"), "--strict", "-d", rules, *files],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
