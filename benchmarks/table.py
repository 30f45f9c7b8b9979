"""The results as a table in the README files, between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_HEAD = "| name | ours | peer | limit | unit | peer ratio | further | goals | met | rows | date |"


def render(readme: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Replaces what stands between the marks with the table of `rows`."""
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    rule = "|" + "---|" * _HEAD.count(" | ") + "---|"
    return "\n".join([_HEAD, rule, *(_line(row) for row in rows)])


def _line(row: dict[str, Any]) -> str:
    goals = ", ".join(f"{g['field']} {g['op']} {_number(g['value'])}" for g in row["goal"])
    known = {"name", "ours", "peer", "limit", "unit", "ratio_to_peer", "ratio_to_limit", "goal"}
    known |= {"met", "rows", "machine", "date", "command"}
    further = ", ".join(f"{n} {_number(value)}" for n, value in row.items() if n not in known)
    cells = [
        row["name"],
        *(_number(row[name]) for name in ("ours", "peer", "limit")),
        row["unit"],
        _number(row["ratio_to_peer"]),
        further,
        goals,
        "yes" if row["met"] else "**no**",
        f"{row['rows']:,}",
        row["date"],
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
