"""Dashboards are what their code writes, say what they show, and a cluster gets the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboards import BOARDS, dashboards
from monitoring_files import DASHBOARDS, MONITORING, PROMETHEUS, ROOT, panels

MANIFESTS = ROOT / "k8s" / "monitoring"


def _silent(panel: dict[str, Any]) -> list[str]:
    """What a panel does not say of itself."""
    unit = panel["fieldConfig"]["defaults"].get("unit")
    told = {"title": panel.get("title"), "description": panel.get("description"), "unit": unit}
    legends = all(target.get("legendFormat") for target in panel["targets"])
    return [name for name, text in (told | {"legend": legends}).items() if not text]


def _outdated(made: dict[str, str], folder: Path) -> set[str]:
    """Files of `folder` that are not what was made, or that nobody makes."""
    pattern = f"*{Path(next(iter(made))).suffix}"
    found = {path.name: path.read_text() for path in folder.glob(pattern)}
    found.pop("kustomization.yaml", None)
    return {name for name in made.keys() | found.keys() if made.get(name) != found.get(name)}


def _objects(folder: Path) -> dict[str, str]:
    """What the generator writes over a copy of `folder`'s neighbours."""
    sys.path.insert(0, str(MANIFESTS))
    try:
        from generate import objects
    finally:
        sys.path.remove(str(MANIFESTS))
    return dict(objects(folder))


def test_dashboards_are_what_their_code_writes(tmp_path: Path) -> None:
    assert _outdated(dict(dashboards()), DASHBOARDS) == set()
    copy = Path(shutil.copytree(DASHBOARDS, tmp_path / "dashboards"))
    file = copy / "lockstep-service.json"
    file.write_text(file.read_text().replace("reqps", "ops", 1))
    assert _outdated(dict(dashboards()), copy) == {"lockstep-service.json"}


@pytest.mark.parametrize("panel", [panel for _, panel in panels()], ids=lambda p: p["title"])
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert _silent(panel) == []
    assert panel["datasource"]["uid"] == "prometheus"
    assert _silent({**panel, "title": ""}) == ["title"]


def test_titles_and_ids_are_of_one_panel_each() -> None:
    for name in dashboards():
        found = json.loads((DASHBOARDS / name).read_text())["panels"]
        assert len({one["id"] for one in found}) == len({one["title"] for one in found})
        assert len(found) == len({one["id"] for one in found})
        assert all(one["title"].endswith("?") for one in found if one["type"] == "row")


def test_use_cases_are_chosen_from_what_is_there() -> None:
    for board in BOARDS:
        made = json.loads(dashboards()[f"{board.uid}.json"])
        names = [variable["name"] for variable in made["templating"].get("list") or []]
        assert names == (["use_case"] if board.by_use_case else [])
        assert ("$use_case" in json.dumps(made["panels"])) == board.by_use_case


def test_grafana_is_told_where_dashboards_and_data_are() -> None:
    folder = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["uid"], source["type"]) == ("prometheus", "prometheus")
    assert source["secureJsonData"]["basicAuthPassword"].startswith("$__file{/run/secrets/")
    (provider,) = yaml.safe_load((folder / "dashboards" / "lockstep.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_objects_of_a_cluster_are_current(tmp_path: Path) -> None:
    assert _outdated(_objects(MONITORING), MANIFESTS) == set()
    copy = Path(shutil.copytree(MONITORING, tmp_path / "monitoring"))
    rules = copy / "prometheus" / "rules" / "models.yml"
    rules.write_text(rules.read_text().replace("severity: page", "severity: ticket"))
    assert _outdated(_objects(copy), MANIFESTS) == {"rules-models.yaml"}


def test_kustomize_builds_all_of_them() -> None:
    command = ["kubectl", "kustomize", str(MANIFESTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    built = list(yaml.safe_load_all(done.stdout))
    kinds = [one["kind"] for one in built]
    assert kinds.count("PrometheusRule") == len(list((PROMETHEUS / "rules").glob("*.yml")))
    assert kinds.count("ConfigMap") == len(BOARDS)
    assert {one["metadata"]["namespace"] for one in built} == {"lockstep"}
    for one in built:
        if one["kind"] == "ConfigMap":
            assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
            assert all(json.loads(text)["uid"] for text in one["data"].values())
