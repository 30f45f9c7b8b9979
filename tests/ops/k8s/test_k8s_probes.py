"""What probes ask is what the programs answer."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from k8s_manifests import Object, named

from serving.routes import health_routes

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def paths(objects: list[Object], part: str) -> Iterator[tuple[str, str]]:
    """The kind and the path of each probe of a part."""
    (container,) = named(objects, "Deployment", part)["spec"]["template"]["spec"]["containers"]
    for probe in PROBES:
        yield probe, container[probe]["httpGet"]["path"]


def unknown(objects: list[Object]) -> list[str]:
    """Paths of the API's probes that are no routes of its real router."""
    routes = {route.path for route in health_routes(services=None).routes}  # type: ignore[arg-type,attr-defined]
    return [path for _, path in paths(objects, "api") if path not in routes]


def test_the_api_has_the_paths(objects: list[Object]) -> None:
    assert unknown(objects) == []
    assert [path for _, path in paths(objects, "api")] == ["/startup", "/ready", "/live"]


@pytest.mark.parametrize("path", ["/healthz", "/live/", "/"])
def test_a_wrong_path_is_named(objects: list[Object], path: str) -> None:
    api = named(objects, "Deployment", "api")["spec"]["template"]["spec"]["containers"][0]
    api["livenessProbe"]["httpGet"]["path"] = path
    assert unknown(objects) == [path]


@pytest.mark.parametrize(
    ("part", "package", "file"),
    [("feast-ui", "feast", "ui_server.py"), ("mlflow", "mlflow", "server/__init__.py")],
)
def test_feast_and_mlflow_have_the_path(
    objects: list[Object], part: str, package: str, file: str
) -> None:
    origin = getattr(find_spec(package), "origin", None)
    assert origin is not None
    source = (Path(origin).parent / file).read_text()
    assert {path for _, path in paths(objects, part)} == {"/health"}
    assert '("/health")' in source


def test_the_exporter_is_asked_where_it_listens(objects: list[Object]) -> None:
    exporter = named(objects, "Deployment", "exporter")["spec"]["template"]["spec"]["containers"][0]
    port = exporter["command"][-1]
    for probe in PROBES:
        assert f"http://127.0.0.1:{port}/metrics" in exporter[probe]["exec"]["command"][-1]


def test_a_start_has_more_time_than_was_ever_measured(objects: list[Object]) -> None:
    api = named(objects, "Deployment", "api")["spec"]["template"]["spec"]
    startup = api["containers"][0]["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 20 * 5.495  # benchmarks
    stop = api["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert api["terminationGracePeriodSeconds"] > stop + 20  # what `lockstep serve` drains in
