"""The component for Airflow's pods: its rights are those that the operator needs, and no more."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from k8s_manifests import K8S

# What KubernetesPodOperator does with its pods: makes and finds one, reads its log and its events,
# marks it as done and removes it.
NEEDED = {
    "pods": {"create", "get", "list", "watch", "patch", "delete"},
    "pods/log": {"get"},
    "events": {"list"},
}


def built(folder: Path, component: str) -> list[dict[str, Any]]:
    """The objects of an overlay that has nothing but the component."""
    overlay = folder / "kustomization.yaml"
    overlay.write_text(f"kind: Kustomization\ncomponents: [{component}]\n")
    command = ["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture
def objects(tmp_path: Path) -> list[dict[str, Any]]:
    relative = Path("../" * (len(tmp_path.parts) - 1)) / (K8S / "airflow").relative_to("/")
    return built(tmp_path, str(relative))


def test_the_worker_may_do_what_its_operator_needs(objects: list[dict[str, Any]]) -> None:
    for found in objects:
        kubernetes_validate.validate(found, "1.37.0", strict=True)
        assert found["metadata"]["namespace"] == "lockstep"
    (role,) = (found for found in objects if found["kind"] == "Role")
    rights = {name: set(rule["verbs"]) for rule in role["rules"] for name in rule["resources"]}
    assert rights == NEEDED


def test_the_binding_is_of_that_role_to_one_account(objects: list[dict[str, Any]]) -> None:
    (binding,) = (found for found in objects if found["kind"] == "RoleBinding")
    assert binding["roleRef"]["name"] == "airflow-worker"
    (subject,) = binding["subjects"]
    assert subject["kind"] == "ServiceAccount"


def test_an_unknown_field_is_found(objects: list[dict[str, Any]]) -> None:
    objects[0]["rulez"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="rulez"):
        kubernetes_validate.validate(objects[0], "1.37.0", strict=True)
