"""Rows that see what was visible at T: row by row against the rule in plain Python."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from view_histories import T0, Row, Step, entity_frame, rows, steps, view_join

from lockstep.contract.status import FeatureStatus, status_at
from lockstep.lake.lake import Lake
from lockstep.stores.as_served_join import AsServedJoin
from lockstep.stores.asof import KNOWN_AS_OF
from lockstep.stores.historical_join import HistoricalJoin
from lockstep.stores.ledger import LedgerRow
from lockstep.stores.visibility import Answered, Recorded, Scheduled, Visibility, VisibilityError
from lockstep.windows.microseconds import microseconds

HALF_HOUR = timedelta(minutes=30)
TIME = pl.Datetime("us", "UTC")
ttls = st.sampled_from([None, timedelta(hours=1), timedelta(hours=3)])
halves = st.integers(-4, 40)


def at(half_hours: int) -> datetime:
    return T0 + half_hours * HALF_HOUR


def row_of(view: str, finished: int, covered: int) -> LedgerRow:
    """A materialisation of `view`; half hours after T0."""
    return LedgerRow(
        project="p",
        view=view,
        started=at(finished) - HALF_HOUR,
        finished=at(finished),
        asked_start=T0,
        asked_end=at(covered),
        covered_end=at(covered),
        horizon=at(covered) + timedelta(microseconds=1),
        definition="d",
        files={},
        read=1,
        written=1,
        older=0,
    )


schedules = st.builds(
    lambda every, delay: Scheduled(every * HALF_HOUR, delay * HALF_HOUR),
    st.integers(1, 9),
    st.integers(0, 5),
)
records = st.builds(
    lambda runs, before: Recorded(
        {view: [row_of(view, *run) for run in runs] for view in ("one", "two")}, before
    ),
    st.lists(st.tuples(halves, halves), min_size=1, max_size=4),
    schedules,
)


def cut(visibility: Visibility, view: str, t: datetime, number: int = 0) -> datetime:
    """How far the store saw at T, by the definition of each kind."""
    if isinstance(visibility, Answered):
        return cut(visibility.visibility, view, visibility.at[number])
    if isinstance(visibility, Scheduled):
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        ran = (t - visibility.delay - epoch) // visibility.every
        return epoch + ran * visibility.every - timedelta(microseconds=1)
    assert isinstance(visibility, Recorded)
    covered = [row.covered_end for row in visibility.rows[view] if row.finished <= t]
    if not covered:
        assert visibility.before is not None
        return cut(visibility.before, view, t)
    return min(max(covered), t)


def seen(history: list[Step], key: int | None, until: datetime, *, exclude: bool) -> Step | None:
    """The newest step that was visible: by event, then created, then its place in the table."""
    in_order = sorted(history, key=lambda step: max(step.event, step.created) // 48)
    visible = [
        (at(step.event), at(step.created), place, step)
        for place, step in enumerate(in_order)
        if step.key == key and at(step.event) <= until
        if not exclude or at(step.created) <= until
    ]
    return max(visible)[-1] if visible else None


@settings(max_examples=40)
@given(
    steps,
    steps,
    rows,
    ttls,
    schedules | records,
    st.none() | halves,
    st.booleans(),
    st.sampled_from([10_000, 0]),
)
def test_each_row_sees_what_was_visible_and_ages_count_at_t(
    first: list[Step],
    second: list[Step],
    asked: list[Row],
    ttl: timedelta | None,
    visibility: Visibility,
    later: int | None,
    exclude: bool,
    memory_mb: int,
) -> None:
    entities = entity_frame(asked)
    if later is not None:
        # History that is asked of a store some time after, row by row less long after.
        late = [at(row.at + max(later - n, 0)) for n, row in enumerate(asked)]
        visibility = Answered(visibility, pl.Series(late).cast(TIME))
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        views = [
            view_join(lake, "one", "a", first, ttl=ttl),
            view_join(lake, "two", "b", second, tags={"max_age_seconds": "10800"}),
        ]
        join = HistoricalJoin(entities, views, exclude=exclude, memory_mb=memory_mb)
        asking = AsServedJoin(join, visibility)
        told = [replace(view, with_statuses=True, with_times=True) for view in asking.views]
        joined = asking.with_views(told)
        found = joined.frame({})
        assert pl.concat(joined.batches({})).equals(found)
    assert found.select(entities.columns).equals(entities)
    for name, key, history, age in (("one", "a", first, ttl), ("two", "b", second, None)):
        for number, (row, entity) in enumerate(
            zip(found.iter_rows(named=True), asked, strict=True)
        ):
            t = at(entity.at)
            until = cut(visibility, name, t, number)
            step = seen(history, getattr(entity, key), until, exclude=exclude)
            status = status_at(
                microseconds(t),
                event_us=None if step is None else microseconds(at(step.event)),
                created_us=None if step is None else microseconds(at(step.created)),
                is_null=step is None or step.count is None,
                ttl_us=None if age is None else age // timedelta(microseconds=1),
                horizon_us=microseconds(until) + 1,
                max_age_us=None if name == "one" else 10_800_000_000,
            )
            assert row[f"{name}__count__status"] == status
            keeps = status not in (FeatureStatus.EXPIRED, FeatureStatus.FUTURE)
            assert row[f"{name}__count"] == (step.count if step and keeps else None)
            assert row[f"{name}__event_timestamp"] == (at(step.event) if step else None)
            assert row[f"{name}__created_timestamp"] == (at(step.created) if step else None)


@given(st.lists(st.integers(0, 10**15), min_size=1), schedules | records)
def test_nothing_is_visible_before_it_is_asked_for(ts: list[int], visibility: Visibility) -> None:
    asked = pl.Series(ts).cast(TIME)
    until = visibility.until("one", asked)
    assert until.dtype == TIME
    assert (until <= asked).all()


def test_what_is_no_schedule_or_not_on_record_is_said() -> None:
    with pytest.raises(VisibilityError, match="no schedule"):
        Scheduled(timedelta(0))
    with pytest.raises(VisibilityError, match="no schedule"):
        Scheduled(HALF_HOUR, -HALF_HOUR)
    with pytest.raises(VisibilityError, match="no materialisation of 'three' is on record"):
        Recorded({}).until("three", pl.Series([0]).cast(TIME))
    early = pl.Series([T0, at(3)]).cast(TIME)
    with pytest.raises(VisibilityError, match="1 rows have a T before 2018-04-01T01:00:00"):
        Recorded({"one": [row_of("one", 2, 1)]}).until("one", early)


def test_rows_that_may_know_more_were_not_served(tmp_path: Path) -> None:
    view = view_join(Lake.at(tmp_path), "one", "a", [Step(1, 0, 0, 1)])
    entities = entity_frame([Row(1, 1, 3, 0)], known_as_of=True)
    assert KNOWN_AS_OF in entities.columns
    join = HistoricalJoin(entities, [view], exclude=True, memory_mb=1)
    with pytest.raises(VisibilityError, match="known_as_of"):
        AsServedJoin(join, Scheduled(HALF_HOUR)).frame({})
