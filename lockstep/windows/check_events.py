"""Whether events are what a specification declares."""

from __future__ import annotations

import polars as pl

from lockstep.windows.errors import EventsError
from lockstep.windows.functions import SumFunction
from lockstep.windows.spec import (
    CREATED_TIMESTAMP,
    DELETED,
    EVENT_TIMESTAMP,
    Aggregation,
    WindowSpec,
)

_TIME = pl.Datetime("us", "UTC")


def check_events(events: pl.DataFrame, spec: WindowSpec) -> None:
    """Returns if `events` are what `spec` declares.

    Raises:
        EventsError: a column is missing, of a wrong type, has nulls, or values that could
            leave the bits of their sums.
    """
    if missing := set(spec.source_columns) - set(events.columns):
        raise EventsError.missing_columns(missing, events.columns)
    for column in (EVENT_TIMESTAMP, CREATED_TIMESTAMP):
        if events.schema[column] != _TIME:
            raise EventsError.wrong_type(column, events.schema[column], "Datetime('us', 'UTC')")
    needed = list(spec.source_columns)
    if DELETED in events.columns:
        needed.append(DELETED)
        if events.schema[DELETED] != pl.Boolean:
            raise EventsError.wrong_type(DELETED, events.schema[DELETED], "Boolean")
    for key in spec.entity_keys:
        if events.schema[key].is_float():
            raise EventsError.wrong_type(key, events.schema[key], "an integer or text")
    for part in spec.parts:
        _check_types(events, part)
    for column, nulls in events.select(pl.col(needed).null_count()).row(0, named=True).items():
        if nulls:
            raise EventsError.nulls(column, nulls)
    if not events.is_empty():
        for part in spec.parts:
            _check_ranges(events, part)


def _check_types(events: pl.DataFrame, part: Aggregation) -> None:
    for column in part.columns:
        kind = events.schema[column]
        if kind.is_integer() or kind == pl.Boolean:
            continue
        if not (column == part.column and part.definition.takes_any_id and kind == pl.String):
            raise EventsError.wrong_type(column, kind, "an integer")


def _check_ranges(events: pl.DataFrame, part: Aggregation) -> None:
    """Refuses a filter or a rate that is not 0 and 1, and sums that could overflow."""
    flags = {part.where} | ({part.column} if part.function == "rate" else set())
    for column in flags - {None}:
        low, high = _range(events, str(column))
        if not 0 <= low <= high <= 1:
            raise EventsError.out_of_range(
                str(column), f"has values in [{low}, {high}], not 0 and 1"
            )
    if part.column is None or part.definition.takes_any_id:
        return
    low, high = _range(events, part.column)
    largest, rows = max(abs(low), abs(high)), len(events)
    definition = part.definition
    squares = isinstance(definition, SumFunction) and definition.needs_squares
    if largest * max(rows, 2) >= 2**63 or (squares and largest**2 * rows**2 >= 2**127):
        raise EventsError.out_of_range(part.column, f"reaches {largest:,}: sums overflow")


def _range(events: pl.DataFrame, column: str) -> tuple[int, int]:
    low, high = events.select(
        low=pl.col(column).cast(pl.Int64).min(), high=pl.col(column).cast(pl.Int64).max()
    ).row(0)
    return low, high
