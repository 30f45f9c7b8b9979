"""Whether events are what a specification declares."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from lockstep.windows.errors import EventsError
from lockstep.windows.functions import SumFunction
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import (
    CREATED_TIMESTAMP,
    DELETED,
    EVENT_TIMESTAMP,
    Aggregation,
    WindowSpec,
)

_TIME = pl.Datetime("us", "UTC")
_WHOLE = {*pl.datatypes.group.INTEGER_DTYPES, pl.Boolean} - {pl.Int128, pl.UInt128}
_YEAR_ONE_US = microseconds(datetime.min.replace(tzinfo=UTC))


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
        kind = events.schema[key]
        if not (kind.is_integer() or kind in (pl.String, pl.Boolean)):
            raise EventsError.wrong_type(key, kind, "an integer or text")
    for part in spec.parts:
        _check_types(events, part)
    for column, nulls in events.select(pl.col(needed).null_count()).row(0, named=True).items():
        if nulls:
            raise EventsError.nulls(column, nulls)
    if not events.is_empty():
        _check_times(events)
        for part in spec.parts:
            _check_ranges(events, part)


def _check_times(events: pl.DataFrame) -> None:
    """Refuses times before the year 1: with them, differences of times leave their bits."""
    if events.select(pl.col(EVENT_TIMESTAMP).to_physical().min()).item() < _YEAR_ONE_US:
        raise EventsError.out_of_range(EVENT_TIMESTAMP, "has times before the year 1")


def _check_types(events: pl.DataFrame, part: Aggregation) -> None:
    for column in part.columns:
        kind = events.schema[column]
        if kind in _WHOLE:
            continue
        is_id = column != part.where and part.definition.takes_any_id
        if not (is_id and kind == pl.String):
            raise EventsError.not_whole(column, kind)


def _check_ranges(events: pl.DataFrame, part: Aggregation) -> None:
    """Refuses a filter or a rate that is not 0 and 1, and sums that could overflow.

    A sum may be over all rows; the other statistics add two values at most.
    """
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
    definition, largest, rows = part.definition, max(abs(low), abs(high)), 2
    squares = False
    if isinstance(definition, SumFunction):
        rows, squares = max(len(events), 2), definition.needs_squares
    if largest * rows >= 2**63 or (squares and largest**2 * rows**2 >= 2**127):
        raise EventsError.out_of_range(part.column, f"reaches {largest:,}: sums overflow")


def _range(events: pl.DataFrame, column: str) -> tuple[int, int]:
    low, high = events.select(low=pl.col(column).min(), high=pl.col(column).max()).row(0)
    return int(low), int(high)
