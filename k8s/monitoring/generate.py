"""Writes what a cluster needs from compose/monitoring: `python k8s/monitoring/generate.py`.

A PrometheusRule for each file of rules, and a ConfigMap for each dashboard, labelled so that the
Prometheus Operator and Grafana's sidecar find them. Generated files are committed; never edit them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "lockstep"
FOLDER = Path(__file__).parent
SOURCE = FOLDER.parents[1] / "compose" / "monitoring"


class _Blocks(yaml.SafeDumper):
    """Text of several lines stays readable."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Blocks.add_representer(str, _Blocks.represent_str)


def objects(source: Path = SOURCE) -> Mapping[str, str]:
    """The text of each object by the name of its file."""
    rules = (source / "prometheus" / "rules").glob("*.yml")
    dashboards = (source / "grafana" / "dashboards").glob("*.json")
    found = {f"rules-{path.stem}.yaml": _prometheus_rule(path) for path in sorted(rules)}
    found |= {f"dashboard-{path.stem}.yaml": _config_map(path) for path in sorted(dashboards)}
    return {name: yaml.dump(made, Dumper=_Blocks, sort_keys=False) for name, made in found.items()}


def _prometheus_rule(path: Path) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": _metadata(f"lockstep-{path.stem}", {"app.kubernetes.io/name": "lockstep"}),
        "spec": yaml.safe_load(path.read_text()),
    }


def _config_map(path: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(f"dashboard-{path.stem}", {"grafana_dashboard": "1"}),
        "data": {path.name: path.read_text()},
    }


def _metadata(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "labels": {"app.kubernetes.io/part-of": "lockstep", **labels},
    }


if __name__ == "__main__":
    for name, text in objects().items():
        (FOLDER / name).write_text(text)
