"""Goals are computed, ratios are larger when we are better."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.row import Goal, Measurement
from benchmarks.table import BEGIN, END, render

STAMP = {"machine": "m", "date": "2026-01-01", "command": "make bench ONLY=x"}


def row(**fields: object) -> dict[str, object]:
    given = {"name": "x", "ours": 2.0, "unit": "s", "rows": 10, "goals": ()} | fields
    return Measurement(**given).as_row(**STAMP)  # type: ignore[arg-type]  # checked by the test


@pytest.mark.parametrize(("larger_is_better", "ratio"), [(False, 4.0), (True, 0.25)])
def test_ratios_are_larger_when_we_are_better(larger_is_better: bool, ratio: float) -> None:
    assert row(peer=8.0, larger_is_better=larger_is_better)["ratio_to_peer"] == ratio


def test_without_a_peer_its_fields_are_null() -> None:
    assert {row()[name] for name in ("peer", "limit", "ratio_to_peer", "ratio_to_limit")} == {None}


@pytest.mark.parametrize(
    ("goals", "met"),
    [
        ((), True),
        ((Goal("ours", "<=", 2),), True),
        ((Goal("ours", "<=", 2), Goal("peak_mb", "<=", 99)), False),
        ((Goal("ratio_to_peer", ">=", 1),), False),
    ],
)
def test_met_needs_every_goal_and_a_missing_field_meets_none(
    goals: tuple[Goal, ...], met: bool
) -> None:
    assert row(goals=goals, extra={"peak_mb": 100.0})["met"] is met


def test_the_table_replaces_what_stood_between_the_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    render(readme, [row(goals=(Goal("ours", "<=", 1),), extra={"peak_mb": 5.0})])
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "old" not in text
    assert "| x | 2 |" in text and "peak_mb 5 |" in text and "| **no** |" in text
