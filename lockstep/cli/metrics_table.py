"""Metrics with their intervals, as people read them in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from training.bootstrap import Interval

# From here on digits after the point say nothing.
_LARGE = 10_000


def metrics_table(title: str, **columns: Mapping[str, Interval]) -> Table:
    """A row a metric, a column for each mapping: the value, and its interval in brackets."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in columns:
        table.add_column(name.replace("_", " "), justify="right")
    for metric in next(iter(columns.values())):
        table.add_row(metric, *(in_words(column[metric]) for column in columns.values()))
    return table


def in_words(interval: Interval) -> str:
    """The value, and between which ends it is known."""
    if math.isnan(interval.value):
        return "-"
    digits = 4 if abs(interval.value) < _LARGE else 0
    value, low, high = (f"{number:,.{digits}f}" for number in astuple(interval))
    return value if math.isnan(interval.low) else f"{value} [{low}, {high}]"
