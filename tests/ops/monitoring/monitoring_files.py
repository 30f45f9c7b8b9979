"""Where the files of monitoring are, and what is in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "compose" / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
ALERTMANAGER = MONITORING / "alertmanager" / "alertmanager.yml"
DASHBOARDS = MONITORING / "grafana" / "dashboards"
RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    board: str
    panel: str
    expr: str

    def asked(self, use_case: str = ".+") -> str:
        """What Grafana would send for this choice of `$use_case`."""
        return self.expr.replace("$use_case", use_case).replace("$__rate_interval", "10s")


def rules(folder: Path = PROMETHEUS / "rules") -> list[dict[str, Any]]:
    """All rules of the files in `folder`."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """The rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


def panels(folder: Path = DASHBOARDS) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of a dashboard and each of its panels, rows left out."""
    for path in sorted(folder.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            if panel["type"] != "row":
                yield path.stem, panel


def queries(folder: Path = DASHBOARDS) -> list[Query]:
    """The queries of all panels."""
    return [
        Query(board, panel["title"], target["expr"])
        for board, panel in panels(folder)
        for target in panel["targets"]
    ]


def documented_metrics(text: str) -> dict[str, set[str]]:
    """The labels of each metric by name, as the tables of docs/monitoring.md give them."""
    tables = "".join(part for part in text.split("\n## ") if part.startswith("Metrics"))
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \|", tables, re.MULTILINE)
    return {name: set(re.findall(r"`([a-z_]+)`", labels)) for name, labels in rows}
