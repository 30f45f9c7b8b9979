"""What new rows add to the histories of their ids.

A history is the facts of one id in the order of their created times; at one created time a
deletion comes before a row. After a row the id is live with that row's values, after a
deletion it is not. So what a new fact means follows from the fact before it alone:

- a row where the id is not live is inserted; where it is live with the same values, it
  says nothing new; with other values it is a correction: the facts are a deletion of the
  live row and the new row;
- a deletion where the id is live takes the live row back; elsewhere there is nothing to
  delete.

Facts only grow at the end: what was created before the newest stored fact is not taken.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from lockstep.jobs.ingest.column import Problem
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED

OUTCOME = "outcome"

_STORED = ":stored"
_REPEATS = ":repeats"
_ALIKE = ":alike"
_LIVE = ":live"


class Outcome(StrEnum):
    """What becomes of a good row; a `Problem` where it is rejected."""

    INSERTED = "inserted"
    CORRECTED = "corrected"
    DELETED = "deleted"
    COMPLETED = "completed"
    THERE = "there"


def settle_histories(
    new: pl.DataFrame, stored: pl.DataFrame, spec: IngestSpec, *, correctable: bool
) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """`new` with their outcomes, and for each table the facts that it lacks.

    Both frames have `spec.fact` and for each table a struct, see `stored_facts`; `new` has
    at most one row a fact. Rows that are not `correctable` (they have no created times of
    their own) conflict with any other fact of their id.
    """
    entries = _told_apart(_woven(new, stored, spec), spec)
    first = _first_outcome(entries, spec, correctable=correctable)
    entries = entries.with_columns(first.alias(OUTCOME))
    open_ = pl.col(OUTCOME).is_null()
    chain = _chained(entries.filter(open_), spec)
    settled = pl.concat([entries.filter(~open_), chain.filter(~pl.col(_STORED))], how="diagonal")
    facts = {table.name: _lacking(chain, table.name, spec) for table in spec.tables}
    return settled.select(*new.columns, OUTCOME), facts


def _woven(new: pl.DataFrame, stored: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    """All facts in the order of their histories; a stored one before a new one like it."""
    had = [pl.col(t.name).is_not_null().alias(_had(t.name)) for t in spec.tables]
    not_had = [pl.lit(value=False).alias(_had(t.name)) for t in spec.tables]
    both = [
        stored.with_columns(pl.lit(value=True).alias(_STORED), *had),
        new.with_columns(pl.lit(value=False).alias(_STORED), *not_had),
    ]
    falling = [False] * (len(spec.key) + 1) + [True, True]
    return pl.concat(both, how="diagonal").sort(*spec.fact, _STORED, descending=falling)


def _told_apart(entries: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    """Which new facts repeat the stored one before them, and whether with the same values.

    A stored fact gets from its repetition what a table lacks of it.
    """
    names = [table.name for table in spec.tables]
    repeats = ~pl.col(_STORED) & _as_before(spec.fact)
    alike = pl.col(DELETED) | _same_values(names)
    entries = entries.with_columns(repeats.alias(_REPEATS), (repeats & alike).alias(_ALIKE))
    filled = pl.col(_ALIKE).shift(-1) & ~pl.col(DELETED)
    return entries.with_columns(
        pl.when(filled).then(pl.coalesce(name, pl.col(name).shift(-1))).otherwise(name).alias(name)
        for name in names
    )


def _first_outcome(entries: pl.DataFrame, spec: IngestSpec, *, correctable: bool) -> pl.Expr:
    """The outcomes that do not depend on the fact before; null for stored and open ones."""
    whole = pl.all_horizontal(pl.col(_had(table.name)).shift(1) for table in spec.tables)
    newest = pl.col(CREATED_TIMESTAMP).filter(pl.col(_STORED)).max().over(spec.key)
    before, at = pl.col(CREATED_TIMESTAMP) < newest, pl.col(CREATED_TIMESTAMP) == newest
    conflict = pl.lit(Problem.CONFLICTING_ID.value)
    return (
        pl.when(_STORED)
        .then(None)
        .when(pl.col(_REPEATS) & ~pl.col(_ALIKE))
        .then(conflict)
        .when(pl.col(_REPEATS) & (whole | pl.col(DELETED)))
        .then(pl.lit(Outcome.THERE.value))
        .when(_REPEATS)
        .then(pl.lit(Outcome.COMPLETED.value))
        .when(newest.is_not_null() & (not correctable))
        .then(conflict)
        .when(before)
        .then(pl.lit(Problem.OLDER_THAN_STORED.value))
        .when(at & pl.col(DELETED))
        .then(conflict)
    )


def _chained(chain: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    """The outcomes that follow from the fact before."""
    live = _as_before(spec.key) & ~pl.col(DELETED).shift(1)
    same = _same_values([table.name for table in spec.tables])
    again = pl.when(pl.col(_STORED).shift(1)).then(pl.lit(Outcome.THERE.value))
    row = (
        pl.when(~live)
        .then(pl.lit(Outcome.INSERTED.value))
        .when(same)
        .then(again.otherwise(pl.lit(Problem.DUPLICATE_ID.value)))
        .otherwise(pl.lit(Outcome.CORRECTED.value))
    )
    deletion = (
        pl.when(live)
        .then(pl.lit(Outcome.DELETED.value))
        .otherwise(pl.lit(Problem.NOTHING_TO_DELETE.value))
    )
    return chain.with_columns(
        live.alias(_LIVE),
        pl.when(~pl.col(_STORED))
        .then(pl.when(DELETED).then(deletion).otherwise(row))
        .alias(OUTCOME),
    )


def _lacking(chain: pl.DataFrame, name: str, spec: IngestSpec) -> pl.DataFrame:
    """The facts that one table has to get: rows, and deletions that repeat the row before."""
    lacks = pl.col(_STORED) & ~pl.col(_had(name))
    said = (lacks & ~pl.col(DELETED)) | _is(Outcome.INSERTED, Outcome.CORRECTED)
    taken_back = (lacks & pl.col(DELETED)) | _is(Outcome.DELETED, Outcome.CORRECTED)
    at = [*spec.key, CREATED_TIMESTAMP]
    facts = [
        chain.filter(said).select(*at, pl.lit(value=False).alias(DELETED), name),
        chain.with_columns(pl.when(_LIVE).then(pl.col(name).shift(1)).alias(name))
        .filter(taken_back)
        .select(*at, pl.lit(value=True).alias(DELETED), name),
    ]
    # Null is what a table has lost and no row of this source brings back.
    return pl.concat(facts).filter(pl.col(name).is_not_null()).unnest(name)


def _as_before(columns: tuple[str, ...]) -> pl.Expr:
    """Whether the entry before is of the same history; false for the first."""
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in columns)
    return same.fill_null(value=False)


def _same_values(names: list[str]) -> pl.Expr:
    """Whether the values are those of the entry before, as far as tables have them."""
    return pl.all_horizontal(
        pl.col(n).shift(1).is_null() | pl.col(n).eq_missing(pl.col(n).shift(1)) for n in names
    )


def _is(*outcomes: Outcome) -> pl.Expr:
    return pl.col(OUTCOME).is_in([outcome.value for outcome in outcomes]).fill_null(value=False)


def _had(name: str) -> str:
    return f"{name}:had"
