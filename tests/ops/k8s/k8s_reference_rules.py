"""Whether what an object names is there: secrets, maps, accounts, ports, pods of a selector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from k8s_manifests import Object, containers, named, of_kind, pod_template, pods, where

Keys = Mapping[str, set[str]]


def reference_faults(objects: list[Object], outside: Keys) -> Iterator[str]:
    """Names of Secrets, ConfigMaps, keys and accounts that nothing makes.

    `outside` are those that must exist before, by name, with their keys.
    """
    inside = {m["metadata"]["name"]: set(m["data"]) for m in of_kind(objects, "ConfigMap")}
    known = inside | dict(outside)
    accounts = {a["metadata"]["name"] for a in of_kind(objects, "ServiceAccount")} | {"default"}
    for maker, name, key in _named(objects):
        if name not in known:
            yield f"{maker}: nothing makes {name}"
        elif key is not None and key not in known[name]:
            yield f"{maker}: {name} has no key {key}"
    for maker, template in pods(objects):
        if template["spec"].get("serviceAccountName") not in accounts:
            yield f"{maker}: no such account {template['spec'].get('serviceAccountName')}"
    for binding in of_kind(objects, "RoleBinding"):
        named(objects, "Role", binding["roleRef"]["name"])
        for subject in binding["subjects"]:
            if subject["name"] not in accounts:
                yield f"{where(binding)}: no such account {subject['name']}"


def _named(objects: list[Object]) -> Iterator[tuple[str, str, str | None]]:
    for maker, template in pods(objects):
        for container in containers(template):
            for source in container.get("envFrom", []):
                for reference in source.values():
                    yield maker, reference["name"], None
            for variable in container.get("env", []):
                for kind in ("secretKeyRef", "configMapKeyRef"):
                    if reference := variable.get("valueFrom", {}).get(kind):
                        yield maker, reference["name"], reference["key"]
        for volume in template["spec"].get("volumes", []):
            source = volume.get("configMap") or volume.get("secret") or {}
            if name := source.get("name") or source.get("secretName"):
                for key in [item["key"] for item in source.get("items", [])] or [None]:
                    yield maker, name, key
    for monitor in of_kind(objects, "ServiceMonitor"):
        for endpoint in monitor["spec"]["endpoints"]:
            for reference in _key_references(endpoint):
                yield where(monitor), reference["name"], reference["key"]
    for ingress in of_kind(objects, "Ingress"):
        for tls in ingress["spec"]["tls"]:
            yield where(ingress), tls["secretName"], "tls.key"


def _key_references(value: Any) -> Iterator[Mapping[str, str]]:
    if isinstance(value, dict):
        if {"name", "key"} <= set(value):
            yield value
        for inner in value.values():
            yield from _key_references(inner)


def port_faults(objects: list[Object]) -> Iterator[str]:
    """Named ports that the container, the pod or the service does not have."""
    for obj in objects:
        if template := pod_template(obj):
            for container in containers(template):
                yield from _probe_ports(where(obj), container, template)
    for service in of_kind(objects, "Service"):
        chosen = _chosen(objects, service["spec"]["selector"])
        for port in service["spec"]["ports"]:
            if not any(port["targetPort"] in _ports(t) for t in chosen):
                yield f"{where(service)}: no pod has the port {port['targetPort']}"
    for monitor in of_kind(objects, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        services = [
            s for s in of_kind(objects, "Service") if wanted <= s["metadata"]["labels"].items()
        ]
        for endpoint in monitor["spec"]["endpoints"]:
            if not any(endpoint["port"] == p["name"] for s in services for p in s["spec"]["ports"]):
                yield f"{where(monitor)}: no service has the port {endpoint['port']}"
    for ingress in of_kind(objects, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                service = named(objects, "Service", backend["name"])
                if backend["port"]["name"] not in {p["name"] for p in service["spec"]["ports"]}:
                    yield f"{where(ingress)}: {backend['name']} has no such port"


def _probe_ports(maker: str, container: Object, template: Object) -> Iterator[str]:
    own = {p["name"] for p in container.get("ports", [])}
    numbers = {p["containerPort"] for c in containers(template) for p in c.get("ports", [])}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(name, {})
        for kind in ("httpGet", "tcpSocket"):
            port = probe.get(kind, {}).get("port")
            if port is not None and port not in (own if isinstance(port, str) else numbers):
                yield f"{maker}/{container['name']}: {name} asks at {port}, where nobody listens"


def _ports(template: Object) -> set[Any]:
    found = [p for c in containers(template) for p in c.get("ports", [])]
    return {p["name"] for p in found} | {p["containerPort"] for p in found}


def _chosen(objects: list[Object], selector: Mapping[str, str]) -> list[Object]:
    return [
        t for _, t in pods(objects) if selector.items() <= t["metadata"].get("labels", {}).items()
    ]


def selector_faults(objects: list[Object]) -> Iterator[str]:
    """Selectors that choose no pod, or another one than their object's."""
    for obj in of_kind(objects, "Deployment", "StatefulSet"):
        wanted = obj["spec"]["selector"]["matchLabels"]
        template = obj["spec"]["template"]
        if _chosen(objects, wanted) != [template]:
            yield f"{where(obj)}: its selector does not choose its own pods alone"
        for spread in template["spec"].get("topologySpreadConstraints", []):
            if _chosen(objects, spread["labelSelector"]["matchLabels"]) != [template]:
                yield f"{where(obj)}: it spreads other pods than its own"
    for obj in of_kind(objects, "Service"):
        if not _chosen(objects, obj["spec"]["selector"]):
            yield f"{where(obj)}: chooses no pod"
    for obj in of_kind(objects, "PodDisruptionBudget"):
        if len(_chosen(objects, obj["spec"]["selector"]["matchLabels"])) != 1:
            yield f"{where(obj)}: does not choose one kind of pods"
    for obj in of_kind(objects, "HorizontalPodAutoscaler"):
        target = obj["spec"]["scaleTargetRef"]
        if "replicas" in named(objects, target["kind"], target["name"])["spec"]:
            yield f"{where(obj)}: its target has replicas of its own"
