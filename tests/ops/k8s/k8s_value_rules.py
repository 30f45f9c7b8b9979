"""What values may be: known variables, no secret in the open, nothing unencrypted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from k8s_manifests import K8S, Object, containers, of_kind, pods, where
from pydantic import BaseModel

from lockstep.lake.spark.settings import SparkSettings
from lockstep.monitoring.settings import MonitoringSettings
from lockstep.settings import Settings
from serving.settings import ServingSettings

# Read by Feast, MLflow, boto3, the servers of the overlay `local`, and the schedules.
_OTHERS = {
    *("FEAST_FS_YAML_FILE_PATH", "FEAST_REGISTRY_URL"),
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_SERVER_CERT_PATH"),
    *("MLFLOW_BACKEND_STORE_URI", "MLFLOW_AUTH_CONFIG_PATH", "MLFLOW_AUTH_ADMIN_PASSWORD"),
    *("MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"),
    *("MLFLOW_S3_ENDPOINT_URL", "MLFLOW_READER_PASSWORD", "MLFLOW_ARTIFACTS_DESTINATION"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"),
    *("LOCKSTEP_USE_CASES", "LOCKSTEP_LANDING", "LOCKSTEP_ENGINE", "LOCKSTEP_NAMESPACE"),
    *("LOCKSTEP_JOBS_IMAGE", "LOCKSTEP_SEARCH_TRIALS", "LOCKSTEP_LOG_DAYS"),
    *("JOB", "PART", "POD_IP", "POD_NAME"),
    *("PGDATA", "POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS", "SECRETS_DIR"),
    "ADMIN_ENDPOINT_URL",
}
_MAPS = {"lockstep", "mlflow"}
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|PRIVATE")
_WITH_PASSWORD = re.compile(r"\w+://[^\s/:@]+:[^\s/@]+@")
_URL = re.compile(r"[a-z][a-z0-9+]*://[^\s\"';,)]+")
_ENCRYPTED = ("https://", "rediss://", "s3://", "k8s://https://")


def secrets_of_production() -> dict[str, dict[str, str]]:
    """What must exist before the overlay `production` is applied: name to key to form."""
    text = (K8S / "overlays" / "production" / "secrets.yaml").read_text()
    forms: dict[str, dict[str, str]] = yaml.safe_load(text)
    return forms


def known_variables() -> set[str]:
    """The names that some program of ours reads."""
    prefixes: list[tuple[str, type[BaseModel]]] = [
        ("LOCKSTEP_", Settings),
        ("LOCKSTEP_", MonitoringSettings),
        ("LOCKSTEP_SPARK_", SparkSettings),
        ("SERVING_", ServingSettings),
    ]
    return _OTHERS | {
        str(field.validation_alias or f"{prefix}{name}".upper())
        for prefix, settings in prefixes
        for name, field in settings.model_fields.items()
    }


def variables(objects: list[Object]) -> Iterator[tuple[str, str, str | None]]:
    """Who sets which variable to what; None where the value is a reference."""
    for name in of_kind(objects, "ConfigMap"):
        if name["metadata"]["name"] in _MAPS:
            yield from ((where(name), key, value) for key, value in name["data"].items())
    for maker, template in pods(objects):
        for container in containers(template):
            for variable in container.get("env", []):
                yield maker, variable["name"], variable.get("value")


def variable_faults(objects: list[Object]) -> Iterator[str]:
    """Variables that no program reads."""
    known = known_variables()
    for maker, name, _ in variables(objects):
        if name not in known:
            yield f"{maker}: nobody reads {name}"


def secret_faults(objects: list[Object]) -> Iterator[str]:
    """Secrets that stand in the manifests."""
    yield from (f"{where(o)}: its values are in git" for o in of_kind(objects, "Secret"))
    for maker, name, value in variables(objects):
        if value is not None and _SECRET.search(name) and not name.endswith(("_FILE", "_DIR")):
            yield f"{maker}: {name} is a literal"
    for obj in objects:
        for text in _texts(obj):
            if _WITH_PASSWORD.search(text):
                yield f"{where(obj)}: an address with a password"


def encryption_faults(
    objects: list[Object], forms: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """Addresses that are reached in the clear, and ports that are open without TLS."""
    values = [(where(o), text) for o in objects if not _is_monitoring(o) for text in _texts(o)]
    values += [(name, form) for name, keys in forms.items() for form in keys.values()]
    for maker, text in values:
        for url in _URL.findall(text):
            if not _is_encrypted(url):
                yield f"{maker}: {url} is not encrypted"
    for maker, template in pods(objects):
        for container in containers(template):
            for port in container.get("ports", []):
                if port["containerPort"] != 8443:
                    yield f"{maker}/{container['name']}: port {port['containerPort']} has no TLS"


def _is_encrypted(url: str) -> bool:
    if url.startswith("postgresql"):
        return "sslmode=verify-full" in url
    return url.startswith((*_ENCRYPTED, "http://127.0.0.1:")) or url == "http://api"


def _is_monitoring(obj: Object) -> bool:
    return obj["kind"] == "PrometheusRule" or "dashboard" in obj["metadata"]["name"]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case str():
            yield value
