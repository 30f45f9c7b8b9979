"""However a table is built, in one go or hour by hour, the same bytes stand in the lake."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from source_histories import HOURS, SPECS, Row, built, files, histories, write_source

from lockstep.jobs.arrivals import HOUR_US
from lockstep.lake.lake import Lake
from lockstep.windows.spec import WindowSpec

END = HOURS + 60
FEW = settings(max_examples=30)

specs = st.sampled_from(SPECS)
hours = st.integers(1, END)
cuts = st.lists(hours, min_size=1, max_size=5, unique=True).map(sorted)


@contextmanager
def empty_lake() -> Iterator[Lake]:
    with tempfile.TemporaryDirectory() as folder:
        yield Lake.at(folder)


@contextmanager
def lake_of(rows: Sequence[Row]) -> Iterator[Lake]:
    with empty_lake() as lake:
        write_source(lake, rows)
        yield lake


def whole(rows: Sequence[Row], spec: WindowSpec, end: int) -> dict[str, bytes]:
    """What a fresh build of everything leaves."""
    with lake_of(rows) as lake:
        built(lake, spec, end=end)
        return files(lake, spec)


def first_event_before(rows: Sequence[Row], hour: int) -> bool:
    return min(row.event for row in rows) < hour * HOUR_US


@FEW
@given(histories(), specs, cuts)
def test_a_chain_of_increments_is_a_whole_build(
    rows: list[Row], spec: WindowSpec, ends: list[int]
) -> None:
    assume(first_event_before(rows, ends[0]))
    with lake_of(rows) as lake:
        built(lake, spec, end=ends[0])
        for start, end in pairwise(ends):
            (receipt,) = built(lake, spec, start=start, end=end)
            assert receipt.stale_days == ()
        assert files(lake, spec) == whole(rows, spec, ends[-1])


@FEW
@given(histories(), specs, st.integers(1, 30))
def test_pieces_of_any_size_give_the_same_bytes(
    rows: list[Row], spec: WindowSpec, most_steps: int
) -> None:
    with lake_of(rows) as lake:
        built(lake, spec, end=END, most_steps=most_steps)
        assert files(lake, spec) == whole(rows, spec, END)


@FEW
@given(histories(), specs, cuts, st.data())
def test_building_any_interval_again_changes_nothing(
    rows: list[Row], spec: WindowSpec, bounds: list[int], data: st.DataObject
) -> None:
    start, end = bounds[0], data.draw(st.sampled_from([*bounds[1:], END, None]))
    assume(end is None or start < end)
    assume(start < END)
    with lake_of(rows) as lake:
        built(lake, spec, end=END)
        before, horizon = files(lake, spec), lake.table(spec.table).horizon()
        interval = {"start": start} if end is None else {"start": start, "end": end}
        (receipt,) = built(lake, spec, **interval)
        assert files(lake, spec) == before
        assert lake.table(spec.table).horizon() == horizon
        assert receipt.stale_days == ()


@settings(max_examples=15)
@given(histories(), specs)
def test_rows_that_reach_the_lake_day_by_day_give_a_whole_build(
    rows: list[Row], spec: WindowSpec
) -> None:
    with empty_lake() as lake:
        ends = range(24, END + 24, 24)
        start = None
        for end in ends:
            known = [row for row in rows if row.known < end * HOUR_US]
            if not known:
                continue
            write_source(lake, known)
            interval = {"end": end} if start is None else {"start": start, "end": end}
            built(lake, spec, **interval)
            start = end
        assume(start is not None)
        assert files(lake, spec) == whole(known, spec, end)


@FEW
@given(histories(), histories(most=3), specs, hours, st.booleans())
def test_a_cascade_after_a_backfill_is_a_whole_build(
    rows: list[Row], backfill: list[Row], spec: WindowSpec, start: int, default_end: bool
) -> None:
    first = min(row.known for row in backfill) // HOUR_US
    assume(first < END)
    start = min(start, first)
    with lake_of(rows) as lake:
        built(lake, spec, end=END)
        write_source(lake, rows + backfill)
        end = {} if default_end else {"end": first + 1}
        (receipt,) = built(lake, spec, start=start, cascade=True, **end)
        assert receipt.stale_days == ()
        assert files(lake, spec) == whole(rows + backfill, spec, END)
