"""Where rows went, in numbers that add up over the parts of a source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from lockstep.jobs.ingest.check import REASON, REASON_SEPARATOR
from lockstep.jobs.ingest.column import OUT_OF_RANGE, Problem
from lockstep.jobs.ingest.history import OUTCOME, Outcome
from lockstep.jobs.ingest.settle import Settled
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP


@dataclass(frozen=True)
class Counts:
    """Rows by where they went, under the names of `IngestReceipt`, and what that makes.

    Rejected rows by reason, the others by the day of their event, new facts by table and day.
    """

    rows: Counter[str] = field(default_factory=Counter)
    by_reason: Counter[str] = field(default_factory=Counter)
    by_day: Counter[date] = field(default_factory=Counter)
    facts: Counter[tuple[str, date]] = field(default_factory=Counter)

    @classmethod
    def of(cls, settled: Settled, spec: IngestSpec) -> Counts:
        """Counts settled rows, each as accepted, already there or rejected."""
        return cls(
            rows=_rows(settled.rows, spec),
            by_reason=_by_reason(settled.rows[REASON]),
            by_day=_by_day(settled.rows.filter(pl.col(REASON).is_null())[spec.event_time]),
            facts=Counter(
                {
                    (name, day): rows
                    for name, facts in settled.facts.items()
                    for day, rows in _by_day(facts[EVENT_TIMESTAMP]).items()
                }
            ),
        )

    def with_forgotten(self, rows: int) -> Counts:
        """With so many rows more that were refused, since they are of the forgotten."""
        return self + Counts(Counter(rows_in=rows, forgotten=rows))

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.rows + other.rows,
            self.by_reason + other.by_reason,
            self.by_day + other.by_day,
            self.facts + other.facts,
        )


def _rows(rows: pl.DataFrame, spec: IngestSpec) -> Counter[str]:
    outcomes = Counter(dict(rows[OUTCOME].drop_nulls().value_counts().iter_rows()))
    reasons = rows[REASON].drop_nulls()
    out_of_range = [f":{problem.value}" for problem in OUT_OF_RANGE]
    return Counter(
        rows_in=rows.height,
        accepted=outcomes.total() - outcomes[Outcome.THERE],
        already_there=outcomes[Outcome.THERE],
        corrections=outcomes[Outcome.CORRECTED],
        deletions=outcomes[Outcome.DELETED],
        late=rows.filter(_is_late(spec)).height,
        rejected=len(reasons),
        duplicates=int((reasons == Problem.DUPLICATE_ID.value).sum()),
        out_of_range=int(reasons.str.contains_any(out_of_range).sum()),
    )


def _by_reason(reasons: pl.Series) -> Counter[str]:
    return Counter(reasons.drop_nulls().str.split(REASON_SEPARATOR).explode().to_list())


def _by_day(events: pl.Series) -> Counter[date]:
    days = events.cast(pl.Datetime("us")).dt.date()
    return Counter(dict(days.value_counts().iter_rows()))


def _is_late(spec: IngestSpec) -> pl.Expr:
    """New rows, neither corrections nor deletions, that were created after their event."""
    new = pl.col(OUTCOME).is_in([Outcome.INSERTED.value, Outcome.COMPLETED.value])
    return new & (pl.col(CREATED_TIMESTAMP) > pl.col(spec.event_time))
