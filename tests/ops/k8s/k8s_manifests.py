"""The objects that an overlay builds, and the pods among them."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).resolve().parents[3] / "k8s"
OVERLAYS = ("local", "production")
Object = dict[str, Any]


def build(folder: Path) -> list[Object]:
    """What `kubectl kustomize` makes of a folder; a fault of kustomize fails the test."""
    done = subprocess.run(
        ["kubectl", "kustomize", folder], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@cache
def _built(overlay: str) -> list[Object]:
    return build(K8S / "overlays" / overlay)


def objects_of(overlay: str) -> list[Object]:
    """A copy of the overlay's objects, to be changed at will."""
    return copy.deepcopy(_built(overlay))


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name."""
    (found,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """All objects of these kinds."""
    return [o for o in objects if o["kind"] in kinds]


def where(obj: Object) -> str:
    """How a fault names an object."""
    return f"{obj['kind']} {obj['metadata']['name']}"


def pod_template(obj: Object) -> Object | None:
    """The template of the pods that an object makes; None of one that makes none."""
    match obj["kind"]:
        case "Deployment" | "StatefulSet" | "Job":
            template: Object = obj["spec"]["template"]
        case "CronJob":
            template = obj["spec"]["jobTemplate"]["spec"]["template"]
        case _:
            return None
    return template


def executor_template(objects: list[Object]) -> Object:
    """The pod of Spark's executors, as the map for drivers has it."""
    template: Object = yaml.safe_load(
        named(objects, "ConfigMap", "lockstep-spark")["data"]["executor.yaml"]
    )
    return template


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Each pod that runs here: who makes it, and its template."""
    for obj in objects:
        if template := pod_template(obj):
            yield where(obj), template


def containers(template: Object) -> list[Object]:
    """All containers of a pod, those that start first included."""
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]
