"""What may be wrong with compose/compose.yaml and the Dockerfiles, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from composed import FOLDER

from lockstep.lake.spark.settings import SparkSettings
from lockstep.monitoring.settings import MonitoringSettings
from lockstep.settings import Settings
from serving.settings import ServingSettings

# Read by libraries, Airflow's schedules and compose/entrypoint, not by our settings.
_OTHERS = {
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "FEAST_FS_YAML_FILE_PATH",
    "FEAST_REGISTRY_URL",
    "LOCKSTEP_ALERTS_URL",
    "LOCKSTEP_RUNNER",
    "LOCKSTEP_ENGINE",
    "LOCKSTEP_USE_CASES",
    "LOCKSTEP_LANDING",
    "LOCKSTEP_SCHEDULE_START",
    "SMOKE_API_KEY",
    "PRIVATE_SECRETS",
}
_OURS = re.compile(r"lockstep-(api|jobs|airflow):")
_PINNED = re.compile(r"^[\w./-]+:[\w.-]*\d[\w.-]*$")
_PASSWORD = re.compile(r"(PASSWORD|SECRET|TOKEN|KEY)$")
_NO_SECRET = re.compile(r"^(/run/secrets/|/tmp/secrets/|[a-z_]+$)")
_INTERNAL = ("data", "monitoring")


def variables() -> set[str]:
    """The names of the environment that our own programs know."""
    known = set(_OTHERS)
    for settings in (Settings, ServingSettings, SparkSettings, MonitoringSettings):
        prefix = settings.model_config["env_prefix"]
        for name, field in settings.model_fields.items():
            known.add(str(field.validation_alias or f"{prefix}{name}").upper())
    return known


def faults(config: dict[str, Any], folder: Path = FOLDER) -> list[str]:
    """All that is wrong with what compose made of its file; nothing where it is fine."""
    found = [fault for name, s in config["services"].items() for fault in _service(name, s)]
    built = [s["image"] for s in config["services"].values() if "build" in s]
    found += [f"{image} is built by two services" for image in built if built.count(image) > 1]
    for name, secret in config.get("secrets", {}).items():
        if Path(secret["file"]).parent.name != "secrets":
            found.append(f"secret {name} is not a file of compose/secrets")
    for name in _INTERNAL:
        if not config["networks"][name].get("internal"):
            found.append(f"network {name} leads outside")
    return [*found, *_volumes(config, folder)]


def _service(name: str, service: dict[str, Any]) -> Iterator[str]:
    if not _PINNED.match(service["image"]) or service["image"].endswith(":latest"):
        yield f"{name}: image {service['image']} has no pinned tag"
    once = service.get("restart") == "no"
    if not once and not service.get("healthcheck", {}).get("test"):
        yield f"{name}: has no health check, and is not one-shot"
    for port in service.get("ports", []):
        if port.get("host_ip") != "127.0.0.1":
            yield f"{name}: port {port['target']} is open to other machines"
    if not service.get("read_only"):
        yield f"{name}: its root can be written"
    if service.get("cap_drop") != ["ALL"]:
        yield f"{name}: keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield f"{name}: may get new privileges"
    if "mem_limit" not in service:
        yield f"{name}: has no memory limit"
    yield from _environment(name, service)


def _environment(name: str, service: dict[str, Any]) -> Iterator[str]:
    mounted = {secret["source"] for secret in service.get("secrets", [])}
    known = variables()
    for variable, value in (service.get("environment") or {}).items():
        plain = variable.removeprefix("SECRET_")
        if _PASSWORD.search(variable) and plain == variable and not _NO_SECRET.match(str(value)):
            yield f"{name}: {variable} is a secret in the file"
        if plain != variable and value not in mounted:
            yield f"{name}: the secret {value}, for {plain}, is not mounted"
        ours = plain.startswith(("LOCKSTEP_", "SERVING_", "REDIS_URL", "FEAST_"))
        if _OURS.match(service["image"]) and ours and plain not in known:
            yield f"{name}: nothing reads {plain}"
    for file in str((service.get("environment") or {}).get("PRIVATE_SECRETS", "")).split():
        if file not in mounted:
            yield f"{name}: the secret {file}, for a private copy, is not mounted"


def _volumes(config: dict[str, Any], folder: Path) -> Iterator[str]:
    for name, service in config["services"].items():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                if not Path(volume["source"]).exists():
                    yield f"{name}: {volume['source']} is not there"
                if not volume.get("read_only"):
                    yield f"{name}: {volume['source']} can be written"
    yield from _mounted_secrets(config, folder)


def _mounted_secrets(config: dict[str, Any], folder: Path) -> Iterator[str]:
    """Configuration files of others that read /run/secrets/NAME; those must be mounted."""
    for name, service in config["services"].items():
        mounted = {secret["source"] for secret in service.get("secrets", [])}
        text = yaml.safe_dump(
            {k: service.get(k) for k in ("command", "environment", "healthcheck")}
        )
        for volume in service.get("volumes", []):
            source = Path(volume.get("source", ""))
            if volume["type"] == "bind" and source.is_dir():
                text += "".join(f.read_text() for f in source.rglob("*.yml"))
            elif volume["type"] == "bind" and source.is_file() and source.parent != folder:
                text += source.read_text()
        for secret in sorted(set(re.findall(r"/run/secrets/([\w.]+)", text)) - mounted):
            yield f"{name}: reads the secret {secret}, which is not mounted"


def image_faults(dockerfile: str) -> list[str]:
    """What is wrong with a Dockerfile that a linter of Dockerfiles does not know."""
    last = dockerfile.split("\nFROM ")[-1]
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    found = [f"base {base} has no pinned tag" for base in bases if not _PINNED.match(base)]
    required = {
        r"^USER 10001:10001$": "it does not end as user 10001",
        r"^HEALTHCHECK ": "it has no health check",
        r"^LABEL org\.opencontainers\.image\.title": "it has no labels",
        r"^ENTRYPOINT \[": "it has no entrypoint",
    }
    found += [why for wanted, why in required.items() if not re.search(wanted, last, re.MULTILINE)]
    if "gcc" in last:
        found.append("its last stage has a compiler")
    if not re.search(r"uv sync --frozen --no-dev", dockerfile):
        found.append("it does not install what uv.lock has")
    return found
