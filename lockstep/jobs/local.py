"""The local engine: piece after piece in one process, the window carried along."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import polars as pl

from lockstep.jobs.arrivals import Arrivals
from lockstep.jobs.engine import Progress, Written
from lockstep.jobs.errors import BuildError
from lockstep.jobs.interval import Interval
from lockstep.jobs.memory import peak_mb
from lockstep.jobs.partitions import PartitionReceipt, replace_interval, split_by_day
from lockstep.jobs.plan import BuildPlan
from lockstep.jobs.slices import slices
from lockstep.jobs.state import State, read_state, write_state
from lockstep.windows.check_events import check_events
from lockstep.windows.resolution import change_points_saved
from lockstep.windows.spec import EVENT_TIMESTAMP
from lockstep.windows.steps import step_batches

# Steps of one piece: they are held until all of its entities are done.
MOST_STEPS = 16_000_000
# The share of a piece's time that goes into computing steps; the rest is writing them.
_COMPUTING = 0.6
# Partitions on their way at the same time: one waits for the disk while another is encoded.
_WRITERS = 4

_Days = dict[date, list[pl.DataFrame]]


class LocalEngine:
    """Reads the rows of a piece, computes its steps and writes them; see `Engine`.

    Memory follows the largest piece and the window before it, not the history.
    """

    name = "local"

    def __init__(self, plan: BuildPlan, *, most_steps: int = MOST_STEPS) -> None:
        self._plan = plan
        self._spec = plan.spec
        # Keys, times, and the rest, so that the bytes of the state do not depend on ties.
        self._order = list(plan.inputs.schema)
        self._most_steps = most_steps
        self._window = pl.DataFrame(schema=plan.inputs.schema)
        self._window_before: datetime | None = None
        self._keys = self._window.select(self._spec.entity_keys)
        self._days: _Days = {}
        self._merged = 0

    def pieces(self, whole: Interval) -> Iterable[Interval]:
        return slices(whole, self._plan.inputs.footers, self._spec, most_steps=self._most_steps)

    def compute(self, piece: Interval, progress: Progress) -> Arrivals:
        if piece.start is not None and self._window_before != piece.start:
            self._window = self._window_of(piece.start)
        arrived = self._plan.inputs.known_in(piece.start, piece.end)
        check_events(arrived, self._spec)
        arrived = arrived.sort(self._order)
        keys = arrived.select(self._spec.entity_keys).unique()
        self._keys = pl.concat([self._keys, keys]).unique()
        events = self._with_older(arrived, piece.start)
        self._days = self._steps_by_day(events, piece, progress)
        self._merged = change_points_saved(events, self._spec, start=piece.start, end=piece.end)
        oldest = self._plan.inputs.window_start_us(piece.end)
        self._window = events.filter(pl.col(EVENT_TIMESTAMP).to_physical() >= oldest)
        self._window_before = piece.end
        return Arrivals.of(arrived, self._spec)

    def write(self, piece: Interval, progress: Progress) -> Written:
        steps = sum(part.height for parts in self._days.values() for part in parts)
        return Written(self._replace(piece, progress), steps, self._merged)

    def keep_state(self, end: datetime) -> None:
        if self._window_before == end:
            state = State(self._window, self._plan.inputs.window_versions(end))
            write_state(self._plan.table, self._plan.definition, end, state)

    def peak_mb(self) -> int:
        return peak_mb()

    def entities(self) -> int:
        return self._keys.height

    def _with_older(self, arrived: pl.DataFrame, start: datetime | None) -> pl.DataFrame:
        """All rows on which steps from `start` on depend, sorted as the core needs them.

        Merging what is sorted takes half the time of sorting it: 0.8 s against 1.4 s of
        processor time for 6.0 M rows, the core's own look at them included.
        """
        if start is None:
            return arrived
        older = self._plan.inputs.older_than_window(arrived, start).sort(self._order)
        return self._window.merge_sorted(arrived.merge_sorted(older, self._order), self._order)

    def _window_of(self, start: datetime) -> pl.DataFrame:
        """The window before `start`: from the snapshot, else from the source.

        Raises:
            BuildError: it is not what the table was built on.
        """
        plan = self._plan
        state = read_state(plan.table, plan.definition, start, plan.inputs.schema)
        if state is not None and self._still_holds(state, start):
            return state.rows
        window_start = plan.inputs.window_start(start)
        rows = plan.inputs.known_in(window_start, start)
        known = Arrivals.of(rows, self._spec)
        if plan.record and (at := plan.record.first_change(known, Interval(window_start, start))):
            raise BuildError.changed_before(plan.table.name, start, at)
        return rows.filter(pl.col(EVENT_TIMESTAMP) >= window_start).sort(self._order)

    def _still_holds(self, state: State, start: datetime) -> bool:
        """Whether the partitions that were replaced since still say what the snapshot says."""
        inputs = self._plan.inputs
        now, then = inputs.window_versions(start), state.versions
        replaced = [day for day in now.keys() | then.keys() if now.get(day) != then.get(day)]
        if not replaced:
            return True
        held = state.rows.filter(pl.col(EVENT_TIMESTAMP).dt.date().is_in(replaced))
        rows = inputs.window_rows(start, [day for day in replaced if day in now])
        return rows.sort(self._order).equals(held)

    def _steps_by_day(self, events: pl.DataFrame, piece: Interval, progress: Progress) -> _Days:
        """The steps of each day, in frames that follow each other in key order."""
        days: defaultdict[date, list[pl.DataFrame]] = defaultdict(list)
        key, done = self._spec.entity_keys[0], 0
        keys = events[key]
        for frame in step_batches(events, self._spec, start=piece.start, end=piece.end):
            for day, part in split_by_day(frame, self._spec):
                days[day].append(part)
            done += frame.height
            share = keys.search_sorted(frame[key].tail(1), side="right")[0] / len(keys)
            progress(f"{self._spec.name}: {done:,} steps", _COMPUTING * share)
        return days

    def _replace(self, piece: Interval, progress: Progress) -> list[PartitionReceipt]:
        start, end = self._plan.bounds(piece)
        touched = sorted({*self._days, *self._plan.days_of(piece)})

        def replaced(day: date) -> PartitionReceipt:
            parts = self._days.pop(day, [])
            return replace_interval(self._plan.table, day, parts, self._spec, start=start, end=end)

        receipts = []
        with ThreadPoolExecutor(_WRITERS) as pool:
            for done, receipt in enumerate(pool.map(replaced, touched), start=1):
                receipts.append(receipt)
                share = _COMPUTING + (1 - _COMPUTING) * done / len(touched)
                progress(f"{self._plan.table.name}: {receipt.day}", share)
        return receipts
