"""A click's place in time, for columns as for one request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions.clicks import clicks_v1
from feature_repo.on_demand.clicks import place_in_time
from feature_repo.windows.clicks import WINDOW_SPECS
from lockstep.windows.microseconds import microseconds

ENTITIES = ("ip", "ip_app", "ip_device_os", "app_channel")
instants = st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))


def inputs(times: list[int], last: list[int | None]) -> dict[str, Any]:
    return {
        "click_time_us": times,
        **{f"{entity}_click_last_event_time_1d": last for entity in ENTITIES},
    }


@given(instants)
def test_hour_and_weekday_are_those_of_utc_with_monday_as_zero(instant: datetime) -> None:
    found = place_in_time(inputs([microseconds(instant)], [None]))
    assert (found["click_hour"], found["click_weekday"]) == ([instant.hour], [instant.weekday()])


def test_the_last_click_by_hand() -> None:
    found = place_in_time(inputs([90_000_000, 90_000_000, 5], [30_000_000, 30_500_001, None]))
    for entity in ENTITIES:
        # Whole seconds, rounded down.
        assert found[f"{entity}_seconds_since_click"] == [60, 59, None]


@given(st.lists(st.tuples(st.integers(0, 2**52), st.none() | st.integers(0, 2**52)), max_size=5))
def test_arrays_give_the_numbers_that_lists_give(rows: list[tuple[int, int | None]]) -> None:
    times, last = [t for t, _ in rows], [at for _, at in rows]
    as_lists = place_in_time(inputs(times, last))
    floats = np.array([np.nan if at is None else at for at in last])
    columns = dict.fromkeys(inputs([], []), floats) | {"click_time_us": np.array(times, np.int64)}
    as_arrays = place_in_time(columns)
    for name, column in as_lists.items():
        nulls = [np.nan if value is None else value for value in column]
        np.testing.assert_array_equal(np.asarray(as_arrays[name], float), nulls)


def test_the_service_reads_every_view_of_the_windows() -> None:
    read = {projection.name for projection in clicks_v1.feature_view_projections}
    assert read == {spec.name for spec in WINDOW_SPECS} | {"click_in_time"}
