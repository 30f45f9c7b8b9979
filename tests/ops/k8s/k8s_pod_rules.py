"""What every pod keeps to: Pod Security `restricted` and more; each rule returns its faults."""

from __future__ import annotations

from collections.abc import Iterator

from k8s_manifests import Object, containers, executor_template, of_kind, pods, where

TOKEN = "lockstep-spark"
_VOLUMES = {"configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


def security_faults(objects: list[Object]) -> Iterator[str]:
    """Where a pod is less than restricted, or may write its own root."""
    for maker, template in [*pods(objects), ("executor", executor_template(objects))]:
        spec = template["spec"]
        yield from (f"{maker}: {fault}" for fault in _pod_faults(spec))
        for container in containers(template):
            name = f"{maker}/{container['name']}"
            yield from (f"{name}: {fault}" for fault in _container_faults(container))


def _pod_faults(spec: Object) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "may run as root"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"has {name}"
    for volume in spec.get("volumes", []):
        if kinds := set(volume) - {"name"} - _VOLUMES:
            yield f"volume {volume['name']} is a {kinds.pop()}"
    is_driver = spec.get("serviceAccountName") == TOKEN
    if spec.get("automountServiceAccountToken") is not is_driver:
        yield "must say that it has no token" if not is_driver else "is a driver without a token"


def _container_faults(container: Object) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may escalate"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write its root"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if {"runAsUser", "runAsNonRoot", "privileged", "seccompProfile"} & set(context):
        yield "overrides its pod"


def resource_faults(objects: list[Object]) -> Iterator[str]:
    """Containers that do not say what they need, or may take all memory."""
    for maker, template in pods(objects):
        for container in containers(template):
            stated = container.get("resources", {})
            missing = {"cpu", "memory"} - set(stated.get("requests", {}))
            if missing or "memory" not in stated.get("limits", {}):
                yield f"{maker}/{container['name']}: no limit of memory, or no requests"


def probe_faults(objects: list[Object]) -> Iterator[str]:
    """Containers that run for ever and are not asked how they are."""
    for obj in of_kind(objects, "Deployment", "StatefulSet"):
        for container in obj["spec"]["template"]["spec"]["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe not in container:
                    yield f"{where(obj)}/{container['name']}: no {probe}"


def image_faults(objects: list[Object]) -> Iterator[str]:
    """Images without a version."""
    for maker, template in pods(objects):
        for container in containers(template):
            image = container["image"]
            tag = image.rpartition("/")[2].partition(":")[2]
            if tag in ("", "latest") or not any(c.isdigit() for c in tag):
                yield f"{maker}/{container['name']}: {image} names no version"


def account_faults(objects: list[Object]) -> Iterator[str]:
    """Service accounts with a token, but that of Spark's drivers."""
    for account in of_kind(objects, "ServiceAccount"):
        has_token = account.get("automountServiceAccountToken", True)
        if has_token != (account["metadata"]["name"] == TOKEN):
            yield f"{where(account)}: {'has a' if has_token else 'needs its'} token"
