"""ServiceMonitors and PrometheusRules against prometheus-operator's own types and schemas."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from k8s_manifests import OVERLAYS, Object, named, objects_of, of_kind

NPM = Path(__file__).parent / "npm"


def _without_expression(objects: list[Object]) -> None:
    del of_kind(objects, "PrometheusRule")[0]["spec"]["groups"][0]["rules"][0]["expr"]


def _unknown_field(objects: list[Object]) -> None:
    named(objects, "ServiceMonitor", "api")["spec"]["endpoints"][0]["intervall"] = "15s"


def _wrong_duration(objects: list[Object]) -> None:
    named(objects, "ServiceMonitor", "api")["spec"]["endpoints"][0]["interval"] = "often"


MISTAKES: dict[str, tuple[Callable[[list[Object]], None], str]] = {
    "no expression": (_without_expression, "expr"),
    "unknown field": (_unknown_field, "intervall"),
    "no duration": (_wrong_duration, "interval"),
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Faults by overlay and by planted mistake, all found in one go, which takes seconds."""
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json", "check.mjs"):
        shutil.copy(NPM / name, folder)
    _run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", folder])
    sets = {overlay: objects_of(overlay) for overlay in OVERLAYS}
    for name, (plant, _) in MISTAKES.items():
        sets[name] = objects_of("local")
        plant(sets[name])
    operators = {n: of_kind(o, "ServiceMonitor", "PrometheusRule") for n, o in sets.items()}
    (folder / "sets.json").write_text(json.dumps(operators))
    found: dict[str, list[str]] = json.loads(
        _run(["node", folder / "check.mjs", folder / "sets.json"])
    )
    return found


def _run(command: list[str | Path]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_operator_knows_them(faults: dict[str, list[str]], overlay: str) -> None:
    assert {o["kind"] for o in objects_of(overlay)} >= {"ServiceMonitor", "PrometheusRule"}
    assert faults[overlay] == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_named(faults: dict[str, list[str]], mistake: str) -> None:
    assert any(MISTAKES[mistake][1] in fault for fault in faults[mistake])


def test_scrapes_are_authenticated_and_verified(objects: list[Object]) -> None:
    monitors = {m["metadata"]["name"]: m["spec"] for m in of_kind(objects, "ServiceMonitor")}
    assert set(monitors) == {"api", "exporter"}
    for name, spec in monitors.items():
        (endpoint,) = spec["endpoints"]
        assert endpoint["scheme"] == "https"
        assert endpoint["tlsConfig"]["serverName"] == name
        assert "insecureSkipVerify" not in endpoint["tlsConfig"]
        assert "authorization" in endpoint or "basicAuth" in endpoint
