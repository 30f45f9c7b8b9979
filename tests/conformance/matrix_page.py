"""The matrix as it stands in docs/conformance.md, and the command that writes it there.

python tests/conformance/matrix_page.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from matrix_case import PASS, ZONES, Case
from matrix_peers import Peer
from matrix_worker import SECTIONS, Outcomes

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
PACKAGES = ("feast", "dask", "duckdb", "ibis-framework", "pyspark", "redis")

_WORKER = Path(__file__).with_name("matrix_worker.py")
_CASE = "| case | what is right |"


def all_outcomes() -> Outcomes:
    """What comes out in each time zone, each a process of its own; `pass` only if in all."""
    merged: Outcomes = {section: {} for section in SECTIONS}
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(_in_zone, ZONES))
    for zone, outcomes in zip(ZONES, found, strict=True):
        for section, cases in outcomes.items():
            for case, columns in cases.items():
                for peer, outcome in columns.items():
                    _merge(merged[section].setdefault(case, {}), peer, outcome, zone)
    return merged


def _in_zone(zone: str) -> Outcomes:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "outcomes.json"
        # The folder takes what Spark leaves in the working directory.
        command = [sys.executable, str(_WORKER), str(target)]
        environment = os.environ | {"TZ": zone, "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-4000:])
        outcomes: Outcomes = json.loads(target.read_text())
        return outcomes


def _merge(columns: dict[str, str], peer: str, outcome: str, zone: str) -> None:
    """A case that passes in UTC but not elsewhere says where."""
    if columns.get(peer, PASS) != PASS:
        return
    in_utc = outcome == PASS or zone == ZONES[0]
    columns[peer] = outcome if in_utc else f"{outcome} (TZ={zone})"


def tables(outcomes: Outcomes) -> dict[str, str]:
    """Each section as a Markdown table."""
    return {name: "\n".join(_table(name, rows)) for name, rows in outcomes.items()}


def versions() -> str:
    """What the matrix was made with."""
    return ", ".join(f"{package} {version(package)}" for package in PACKAGES)


def between(name: str, content: str) -> str:
    """The content between its two marks."""
    return f"<!-- {name}: begin -->\n{content}\n<!-- {name}: end -->"


def page(outcomes: Outcomes, text: str) -> str:
    """The page's text with the matrix of `outcomes` in it."""
    for name, content in {**tables(outcomes), "versions": versions()}.items():
        before, rest = text.split(f"<!-- {name}: begin -->")
        text = before + between(name, content) + rest.split(f"<!-- {name}: end -->")[1]
    return text


def _table(name: str, rows: dict[str, dict[str, str]]) -> Iterator[str]:
    peers, cases = SECTIONS[name]
    yield f"{_CASE} {' | '.join(peer.name for peer in peers)} |"
    yield "|---" * (2 + len(peers)) + "|"
    for case in cases:
        yield f"| {case.name} | {case.checks} | {_cells(peers, case, rows)} |"
    passed = (sum(rows[c.name][p.name] == PASS for c in cases) for p in peers)
    yield f"| **passed of {len(cases)}** | | {' | '.join(str(count) for count in passed)} |"


def _cells(peers: Iterable[Peer], case: Case, rows: dict[str, dict[str, str]]) -> str:
    outcomes = (rows[case.name][peer.name] for peer in peers)
    return " | ".join(o if o == PASS else f"**{o}**" for o in outcomes)


def write_page(target: Path) -> Outcomes:
    """Every case is run, and what came out stands in the page at `target`."""
    outcomes = all_outcomes()
    target.write_text(page(outcomes, target.read_text()))
    return outcomes


if __name__ == "__main__":
    write_page(PAGE)
