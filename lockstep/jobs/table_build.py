"""One build of one table: what is written in what order, so that it can break off anywhere.

Before the first step is written that may differ from what the table vouches for, its end
moves back to there. The end moves forward last, when everything else is written.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, datetime

from lockstep.jobs.arrivals import Arrivals
from lockstep.jobs.engine import Engine, Progress
from lockstep.jobs.interval import Interval, midnight_of
from lockstep.jobs.partitions import PartitionReceipt
from lockstep.jobs.plan import BuildPlan
from lockstep.jobs.receipt import BuildReceipt, write_receipt
from lockstep.jobs.record import TableRecord, write_record


class TableBuild:
    """A plan as one engine carries it out; used once."""

    def __init__(self, plan: BuildPlan, engine: Engine, progress: Progress) -> None:
        self._plan, self._engine, self._progress = plan, engine, progress
        self._first_midnight = midnight_of(min([plan.inputs.footers[0].day, *plan.days]))
        self._vouched = plan.record
        nothing = TableRecord(plan.definition, end=self._first_midnight)
        self._record = nothing if plan.is_whole or plan.record is None else plan.record
        self._arrivals = Arrivals()
        self._written: dict[date, PartitionReceipt] = {}
        self._steps = self._merged = 0

    def run(self, *, cascade: bool, began: datetime) -> BuildReceipt:
        """Builds the plan's interval, with `cascade` also what is stale behind it.

        `began` names the receipt. Raises what the engine raises.
        """
        started = time.monotonic()
        end = self._build(self._plan.interval)
        if cascade and self._record.stale_until:
            end = self._build(Interval(self._record.end, self._record.stale_until))
        self._engine.keep_state(self._record.end)
        receipt = self._receipt(end, time.monotonic() - started)
        write_receipt(receipt, self._plan.table, began=began)
        write_record(replace(self._record, build=receipt.as_json()), self._plan.table)
        return receipt

    def _build(self, whole: Interval) -> datetime:
        pieces = list(self._engine.pieces(whole))
        for done, piece in enumerate(pieces):

            def progress(what: str, share: float, done: int = done) -> None:
                self._progress(what, (done + share) / len(pieces))

            progress(f"{self._plan.table.name}: reading up to {piece.end:%Y-%m-%d %H:%M}", 0.0)
            arrivals = self._engine.compute(piece, progress)
            self._move_back(piece, arrivals)
            written = self._engine.write(piece, progress)
            self._record = self._record.built(piece, arrivals, written.partitions)
            self._written |= {part.day: part for part in written.partitions}
            self._arrivals += arrivals
            self._steps += written.steps
            self._merged += written.merged_by_resolution
        return whole.end

    def _move_back(self, piece: Interval, arrivals: Arrivals) -> None:
        """Takes back what the table vouches for, as far as the piece may change it."""
        plan, vouched = self._plan, self._vouched
        if vouched is None:
            less = self._record
        else:
            end = min(vouched.end, plan.interval.end) if plan.is_whole else vouched.end
            if vouched.first_change(arrivals, piece):
                end = min(end, piece.start or self._first_midnight)
            if end == vouched.end:
                return
            if plan.is_whole:
                less = vouched.moved_back(end)
            else:
                # With what the pieces before this one have already written.
                less = self._record = self._record.moved_back(end)
        write_record(less, plan.table)
        self._vouched = less

    def _receipt(self, end: datetime, seconds: float) -> BuildReceipt:
        start, record, arrivals = self._plan.interval.start, self._record, self._arrivals
        return BuildReceipt(
            engine=self._engine.name,
            table=self._plan.table.name,
            start=start.isoformat() if start else None,
            end=end.isoformat(),
            horizon=record.horizon.isoformat(),
            rows_in=arrivals.rows,
            late=arrivals.late,
            deletions=arrivals.deletions,
            entities=self._engine.entities(),
            steps=self._steps,
            merged_by_resolution=self._merged,
            days=sum(part.rows > 0 for part in self._written.values()),
            bytes=sum(part.bytes for part in self._written.values()),
            content_hash=record.content_hash,
            stale_days=record.stale_days,
            seconds=round(seconds, 3),
            peak_mb=self._engine.peak_mb(),
        )
