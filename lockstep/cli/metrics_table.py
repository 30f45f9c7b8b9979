"""Metrics with their intervals, as people read them in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from training.bootstrap import Interval


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
    from training.digits import in_digits

    value, low, high = (in_digits(number, like=interval.value) for number in astuple(interval))
    is_known = not (math.isnan(interval.value) or math.isnan(interval.low))
    return f"{value} [{low}, {high}]" if is_known else value
