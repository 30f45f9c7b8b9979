"""The step that holds at T, without those before it: the same as out of a whole build."""

from __future__ import annotations

import polars as pl
import pytest
from histories import COUNT, EVERYTHING, FAR, MINUTE, TIME, frame, spec_of
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from step_oracle import Row

from lockstep.windows.functions import FUNCTIONS
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.steps import newest_steps, steps

OF_BARS = tuple(
    Aggregation(name, "value", "price") for name, each in FUNCTIONS.items() if each.needs_bar
)
BARS = spec_of(*OF_BARS, COUNT, windows=("1b", "3b", "10b"), bar="1m")
SPECS = [BARS, spec_of(*OF_BARS, COUNT, windows=("3b", "10b"), bar="1m", resolution="1m")]
SPECS += [EVERYTHING]

# Of two keys a bar in some minutes, and the instants at which they are asked.
minutes = st.dictionaries(st.integers(0, 20), st.integers(1, 60), min_size=1, max_size=18)
instants = st.integers(0, 35 * MINUTE) | st.builds(
    lambda minute, off: minute * MINUTE + off, st.integers(0, 32), st.sampled_from([0, 1, 2])
)


def rows_of(keys: list[dict[int, int]]) -> list[Row]:
    return [
        Row(key, minute * MINUTE, minute * MINUTE, value, value % 2)
        for key, bars in enumerate(keys)
        for minute, value in bars.items()
    ]


@given(st.lists(minutes, min_size=1, max_size=3), st.data(), st.sampled_from(SPECS))
def test_it_is_always_the_newest_step_of_a_build(
    keys: list[dict[int, int]], data: st.DataObject, spec: WindowSpec
) -> None:
    arrivals = [min(bars) * MINUTE + spec.grid_us for bars in keys]
    asked = [max(data.draw(instants), arrival) for arrival in arrivals]
    rows = frame(rows_of(keys))
    times = pl.DataFrame({"key": range(len(keys)), "event_timestamp": asked}).with_columns(
        pl.col("key").cast(rows.schema["key"]), pl.col("event_timestamp").cast(TIME)
    )
    built = steps(rows, spec, end=instant_at(FAR))
    expected = built.join(times, on="key", suffix="_t").filter(
        pl.col("event_timestamp") <= pl.col("event_timestamp_t")
    )
    expected = expected.group_by("key", maintain_order=True).last().select(built.columns)
    assert_frame_equal(newest_steps(rows, spec, times), expected, check_exact=True)


@pytest.mark.parametrize("late", [0, 5 * MINUTE])
def test_a_row_counts_from_its_event_on_whenever_it_was_created(late: int) -> None:
    rows = frame([Row(1, 0, 0, 5), Row(1, MINUTE, MINUTE + late, 7)])
    times = pl.DataFrame({"key": [1], "event_timestamp": [MINUTE + 1]}).with_columns(
        pl.col("event_timestamp").cast(TIME)
    )
    assert newest_steps(rows, BARS, times)["key_price_first_1b"].to_list() == [7]
