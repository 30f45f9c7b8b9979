"""What SQL over raw events says that a view's windows are at given instants."""

from __future__ import annotations

import duckdb
import polars as pl

from lockstep.lake.facts import scan_facts
from lockstep.lake.lake import Lake
from lockstep.parity.sql.aggregates import AGGREGATES, BAR_AGGREGATES
from lockstep.parity.sql.statement import key_columns, statement, value_columns
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED, EVENT_TIMESTAMP, WindowSpec

STEP = "step_us"
# Pairs of an asked row and an event of its entity, at about 100 bytes each.
MOST_PAIRS = 20_000_000
_TYPES = {"int64": pl.Int64, "float64": pl.Float64}


def unsaid(spec: WindowSpec) -> list[str]:
    """The functions of the spec that no SQL is written for, or not with a filter."""
    return sorted(
        {
            part.function
            for part in spec.parts
            if part.function not in AGGREGATES
            and (part.function not in BAR_AGGREGATES or part.where is not None)
        }
    )


def source_events(lake: Lake, spec: WindowSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """The events before the last T of `rows`, of their entities; deletions are rows of their own.

    `rows` has the keys and `event_timestamp`, which is T.

    Raises:
        LakeError: there are none, or they cannot be read.
    """
    table = lake.table(spec.source)
    facts = scan_facts(table)
    columns = [*spec.source_columns, *(c for c in [DELETED] if c in facts.collect_schema())]
    last = rows.get_column(EVENT_TIMESTAMP).max()
    keys = rows.lazy().select(spec.entity_keys).unique()
    seen = facts.filter(pl.col(EVENT_TIMESTAMP) < last, pl.col(CREATED_TIMESTAMP) <= last)
    return table.collect(seen.select(columns).join(keys, on=spec.entity_keys, how="semi"))


def within_reach(events: pl.DataFrame, spec: WindowSpec, rows: pl.DataFrame) -> pl.Series:
    """Which of `rows`, from the first, are few enough to be paired with all events of theirs."""
    keys = list(spec.entity_keys)
    pairs = rows.join(
        events.group_by(keys).len("pairs"), on=keys, how="left", maintain_order="left"
    )
    return pairs.get_column("pairs").fill_null(0).cum_sum() <= MOST_PAIRS


def sql_values(events: pl.DataFrame, spec: WindowSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """The newest step's time and the features at T of each of `rows`, as known at T.

    `events` are raw: the keys, both times, the values and perhaps `is_deleted`. `rows` has the
    keys and `event_timestamp`, which is T. One row out per row in, in order: `step_us` in
    microseconds UTC and `spec.features()`, all null where nothing was known of the entity. Whole
    numbers, and one division of two, have the bits of the window core; statistics of bars are
    equal up to rounding.

    Raises:
        duckdb.Error: a sum does not fit 64 bits.
    """
    if rows.is_empty():
        return pl.DataFrame(
            schema={STEP: pl.Int64, **{n: _TYPES[k] for n, k in spec.features().items()}}
        )
    with duckdb.connect() as connection:
        connection.register("asked", _asked(spec, rows).to_arrow())
        connection.register("events", _renamed(spec, events).to_arrow())
        connection.register("windows", _windows(spec).to_arrow())
        told = pl.DataFrame(connection.sql(statement(spec)).to_arrow_table())
    by_window = [told.gather_every(len(spec.windows), w) for w in range(len(spec.windows))]
    features = [
        by_window[n % len(spec.windows)]
        .get_column(f"f{n // len(spec.windows)}")
        .cast(_TYPES[kind])
        .alias(name)
        for n, (name, kind) in enumerate(spec.features().items())
    ]
    found = pl.DataFrame([by_window[0].get_column("step").cast(pl.Int64).alias(STEP), *features])
    return found.select(STEP, pl.when(pl.col(STEP).is_not_null()).then(pl.all().exclude(STEP)))


def _asked(spec: WindowSpec, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        pl.int_range(pl.len()).alias("n"),
        *(pl.col(name).alias(to) for name, to in key_columns(spec).items()),
        pl.col(EVENT_TIMESTAMP).to_physical().alias("t"),
    )


def _renamed(spec: WindowSpec, events: pl.DataFrame) -> pl.DataFrame:
    event, created = (pl.col(name).to_physical() for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP))
    deleted = pl.col(DELETED) if DELETED in events.columns else pl.lit(value=False)
    return events.select(
        *(pl.col(name).alias(to) for name, to in key_columns(spec).items()),
        *(pl.col(name).alias(to) for name, to in value_columns(spec).items()),
        event.alias("event"),
        # A row is known when it happens, if it says that it was known before.
        pl.max_horizontal(event, created).alias("created"),
        deleted.alias("deleted"),
    )


def _windows(spec: WindowSpec) -> pl.DataFrame:
    places = range(len(spec.windows))
    return pl.DataFrame({"w": places, "expiry": spec.expiries_us, "bars": spec.bars})
