"""Where each row of some ids goes: into the tables, nowhere (it is there), or aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lockstep.jobs.ingest.check import PLACE, REASON
from lockstep.jobs.ingest.column import Problem
from lockstep.jobs.ingest.history import OUTCOME, Outcome, settle_histories
from lockstep.jobs.ingest.identity import numbered
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.stored import packed, stored_facts
from lockstep.lake.lake import Lake
from lockstep.windows.spec import DELETED


@dataclass(frozen=True)
class Settled:
    """`rows` as they were checked, with an outcome where good, else a reason.

    `facts` are what each table lacks.
    """

    rows: pl.DataFrame
    facts: Mapping[str, pl.DataFrame]


def settle(rows: pl.DataFrame, spec: IngestSpec, lake: Lake, *, correctable: bool) -> Settled:
    """Decides on checked rows; all rows of an id must be among them, in any order.

    Of rows that say the same of an id at the same created time, the first in the source
    counts; where the source has no created times, the first of an id.

    Raises:
        LakeError: a stored partition is not parquet.
        IngestError: a table has other columns than `spec` gives it.
    """
    rows = rows.sort(PLACE)
    good = numbered(rows.filter(pl.col(REASON).is_null()), spec)
    first = pl.struct(spec.fact if correctable else spec.key).is_first_distinct()
    good = good.with_columns(
        pl.when(~first).then(pl.lit(Problem.DUPLICATE_ID.value)).alias(OUTCOME)
    )
    fresh = good.filter(pl.col(OUTCOME).is_null()).drop(OUTCOME)
    outcomes, facts = _settle_fresh(fresh, spec, lake, correctable=correctable)
    settled = pl.concat([outcomes, good.drop_nulls(OUTCOME).select(*PLACE, OUTCOME)])
    return Settled(_with_outcomes(rows, settled), facts)


def _settle_fresh(
    fresh: pl.DataFrame, spec: IngestSpec, lake: Lake, *, correctable: bool
) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Outcomes and facts of rows of which no two are the same fact."""
    stored = stored_facts(lake, spec, fresh)
    contested = fresh.select(
        pl.struct(spec.key).is_duplicated() | (pl.col(DELETED) == 1)
    ).to_series() | _is_known(fresh, stored, spec)
    plain, new = fresh.filter(~contested), _packed(fresh.filter(contested), spec)
    outcomes, facts = settle_histories(new, stored, spec, correctable=correctable)
    inserted = plain.select(*PLACE, pl.lit(Outcome.INSERTED.value).alias(OUTCOME))
    for table in spec.tables:
        own = table.facts(plain)
        facts[table.name] = pl.concat([own, facts[table.name].select(own.columns)])
    return pl.concat([inserted, outcomes.select(*PLACE, OUTCOME)]), facts


def _is_known(fresh: pl.DataFrame, stored: pl.DataFrame, spec: IngestSpec) -> pl.Series:
    ids = stored.select(spec.key).unique().with_columns(known=True)
    joined = fresh.select(spec.key).join(ids, on=spec.key, how="left", maintain_order="left")
    return joined["known"].is_not_null()


def _packed(rows: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    tables = [packed(table, spec, rows) for table in spec.tables]
    others = [frame.drop(spec.fact) for frame in tables[1:]]
    return pl.concat([rows.select(PLACE), tables[0], *others], how="horizontal")


def _with_outcomes(rows: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """A `Problem` is a reason: no good row has one yet."""
    joined = rows.join(settled, on=PLACE, how="left", maintain_order="left")
    rejected = pl.col(OUTCOME).is_in([problem.value for problem in Problem])
    return joined.with_columns(
        pl.when(rejected).then(OUTCOME).otherwise(REASON).alias(REASON),
        pl.when(~rejected).then(OUTCOME).alias(OUTCOME),
    )
