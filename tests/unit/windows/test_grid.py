"""Windows on a grid, snapshots, and entities too large for one frame."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from histories import EVERYTHING, FAR, GRIDS, MINUTE, built, cuts, frame, histories, spec_of
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from step_oracle import DAY, Row

from lockstep.windows.errors import WindowSpecError
from lockstep.windows.final import became_final
from lockstep.windows.microseconds import instant_at
from lockstep.windows.resolution import change_points_saved
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import step_batches

DAILY_GRID = {"resolution": "1d", "snapshots": True}
DAILY = spec_of(windows=("2d",), **DAILY_GRID)


def test_a_grid_moves_arrivals_and_expiries_up() -> None:
    table = built([Row(1, 10, 10, 4), Row(1, 20, 20, 6)], spec_of(windows=("2m",), resolution="1m"))
    assert table.select("event_timestamp", "key_value_sum_2m").rows() == [
        (instant_at(MINUTE), 10),
        (instant_at(3 * MINUTE), 0),
    ]


def test_a_snapshot_stands_at_every_midnight_while_the_window_holds_anything() -> None:
    table = built([Row(1, 10, 10, 4)], DAILY)
    assert table.select("event_timestamp", "key_event_count_2d", "valid_until_us").rows() == [
        (instant_at(DAY), 1, 2 * DAY),
        (instant_at(2 * DAY), 1, 3 * DAY),
        (instant_at(3 * DAY), 0, None),
    ]


def test_the_snapshot_that_closes_a_day_is_emitted_by_the_build_that_ends_there() -> None:
    rows = [Row(1, 10, 10, 4)]
    today = built(rows, DAILY, start=0, end=DAY)
    assert today["event_timestamp"].to_list() == [instant_at(DAY)]
    assert today.select(final=became_final(DAILY))["final"].to_list() == [DAY - 1]
    assert built(rows, DAILY, start=DAY, end=2 * DAY)["event_timestamp"].to_list() == [
        instant_at(2 * DAY)
    ]


def test_a_row_created_at_midnight_is_a_later_version_of_the_snapshot() -> None:
    table = built([Row(1, 10, 10, 4), Row(1, 20, DAY, 6)], DAILY, end=DAY + 1)
    assert table.select("event_timestamp", "created_timestamp", "key_value_sum_2d").rows() == [
        (instant_at(DAY), instant_at(10), 4),
        (instant_at(DAY), instant_at(DAY), 10),
    ]


def test_snapshots_need_a_resolution() -> None:
    with pytest.raises(WindowSpecError, match="no resolution"):
        spec_of(snapshots=True)


def test_what_a_grid_saves_is_counted() -> None:
    rows = [Row(1, t, t, 1) for t in (10, 20, 30)]
    spec = spec_of(windows=("2m",), resolution="1m")
    assert len(built(rows, spec)) == 2
    assert change_points_saved(frame(rows), spec, end=instant_at(FAR)) == 4
    assert change_points_saved(frame(rows), spec_of(), end=instant_at(FAR)) == 0


@given(histories, st.sampled_from(GRIDS[:3]))
def test_a_grid_always_saves_what_it_merged(rows: list[Row], grid: dict[str, str]) -> None:
    exact, gridded = spec_of(), spec_of(**grid)
    points = [len(built(rows, s).unique(["key", "event_timestamp"])) for s in (exact, gridded)]
    saved = change_points_saved(frame(rows), gridded, end=instant_at(FAR))
    assert saved == points[0] - points[1]


# A late row makes a build look at points whose merging an earlier build has counted.
@example([*(Row(1, t, t, 1) for t in range(9)), Row(1, 0, MINUTE, 1)], GRIDS[1], [MINUTE])
@given(histories, st.sampled_from(GRIDS[1:]), cuts)
def test_what_a_grid_saves_always_adds_up(
    rows: list[Row], grid: dict[str, Any], cuts: list[int]
) -> None:
    edges = [instant_at(us) for us in (-FAR, *sorted(cuts), FAR)]
    spec, events = spec_of(**grid), frame(rows)
    parts = [
        change_points_saved(events, spec, start=start, end=end) for start, end in pairwise(edges)
    ]
    assert sum(parts) == change_points_saved(events, spec, end=instant_at(FAR))


@pytest.mark.parametrize("entities", [1, 200])
def test_no_frame_of_snapshots_outgrows_its_rows(
    entities: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("events", "steps"):
        monkeypatch.setattr(f"lockstep.windows.{module}.MAX_ROWS", 100)
    spec = spec_of(windows=("10d",), resolution="1d", snapshots=True)
    times = [t * 10 * DAY // entities for t in range(200)]
    rows = [Row(t % entities, time, time, 1) for t, time in enumerate(times)]
    frames = list(step_batches(frame(rows), spec, end=instant_at(3000 * DAY)))
    assert max(len(each) for each in frames) <= 100
    assert_frame_equal(
        pl.concat(frames).sort("key", "event_timestamp"), built(rows, spec, end=3000 * DAY)
    )


@given(histories, st.sampled_from(GRIDS).map(lambda grid: replace(EVERYTHING, **grid)))
def test_cutting_a_huge_entity_at_days_never_changes_a_byte(
    rows: list[Row], spec: WindowSpec
) -> None:
    spread = [r._replace(event=r.event * 400, created=r.created * 400) for r in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lockstep.windows.steps.MAX_ROWS", 1)
        frames = list(step_batches(frame(spread), spec, end=instant_at(400 * FAR)))
    order = ["key", "event_timestamp", "created_timestamp"]
    whole = built(spread, spec, end=400 * FAR)
    assert_frame_equal(pl.concat(frames).sort(order), whole, check_exact=True)
    for part in _by_day(frames, spec).values():
        assert part.select(order).equals(part.select(order).sort(order))


@pytest.mark.parametrize("grid", [{}, {"resolution": "1h"}, DAILY_GRID])
def test_a_day_of_a_huge_entity_sees_what_windows_of_days_hold(
    grid: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that is deleted and one that arrives, both three days late, and what is near."""
    on_time = [Row(1, t * DAY + 5, t * DAY + 5, t + 1) for t in range(9)]
    deletion = on_time[2]._replace(created=5 * DAY, deleted=True)
    rows = [*on_time, deletion, Row(1, 3 * DAY, 6 * DAY, 0)]
    spec = replace(EVERYTHING, windows=("1d", "2d"), **grid)
    whole = built(rows, spec, end=20 * DAY)
    monkeypatch.setattr("lockstep.windows.steps.MAX_ROWS", 1)
    frames = list(step_batches(frame(rows), spec, end=instant_at(20 * DAY)))
    order = ["key", "event_timestamp", "created_timestamp"]
    assert len(frames) > 1
    assert_frame_equal(pl.concat(frames).sort(order), whole, check_exact=True)


def _by_day(frames: list[pl.DataFrame], spec: WindowSpec) -> dict[date, pl.DataFrame]:
    """The parts of each day, one after another, as a runner puts them together."""
    days: dict[date, pl.DataFrame] = {}
    for each in frames:
        final = each.with_columns(day=became_final(spec) // DAY)
        for day, part in final.partition_by("day", as_dict=True, include_key=False).items():
            days[day[0]] = pl.concat([days[day[0]], part]) if day[0] in days else part
    return days
