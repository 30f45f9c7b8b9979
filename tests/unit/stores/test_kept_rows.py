"""What is kept beside a step is what it was made of: out of it comes the same step."""

from __future__ import annotations

import polars as pl
import pytest
from histories import COUNT, MINUTE, TIME, built, frame, spec_of
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from step_oracle import Row

from lockstep.stores.kept_rows import KeptRows
from lockstep.windows.functions import FUNCTIONS
from lockstep.windows.spec import Aggregation
from lockstep.windows.steps import newest_steps

OF_BARS = tuple(
    Aggregation(name, "value", "price") for name, each in FUNCTIONS.items() if each.needs_bar
)
SPEC = spec_of(*OF_BARS, COUNT, windows=("1b", "3b", "10b"), bar="1m")
KEPT = KeptRows("test/bars", ("value",), SPEC.lengths_us[-1])
TIMES = ["event_timestamp", "created_timestamp"]


@st.composite
def bar_histories(draw: st.DrawFn) -> list[Row]:
    """Bars of two keys with gaps, some late, some deleted, some restated."""
    rows = []
    for key in (1, 2):
        for minute, fate in enumerate(draw(st.lists(st.integers(0, 6), max_size=16))):
            late = draw(st.integers(1, 5 * MINUTE)) if fate in (1, 2) else 0
            event = minute * MINUTE
            row = Row(key, event, event + late, draw(st.integers(1, 60)))
            if fate:
                rows.append(row)
            if fate in (2, 3, 4):
                when = row.created + draw(st.integers(0, 4 * MINUTE))
                rows.append(row._replace(created=when, deleted=True))
            if fate == 4:
                rows.append(row._replace(created=when, value=draw(st.integers(61, 99))))
    return draw(st.permutations(rows))


def kept_of(rows: list[Row], steps: pl.DataFrame) -> list[bytes]:
    return KEPT.cells(KEPT.held(frame(rows).lazy(), steps, ["key"]).collect(), steps)


@given(bar_histories())
@settings(max_examples=40)
def test_every_version_of_every_step_always_comes_out_of_its_rows(rows: list[Row]) -> None:
    steps = built(rows, SPEC)
    for number, cell in enumerate(kept_of(rows, steps)):
        step = steps[number : number + 1]
        event_us, created_us = (step[name].to_physical()[0] for name in TIMES)
        held = KEPT.rows_of(cell, event_us, created_us)
        assert held is not None
        if not len(held):
            assert step["key_event_count_10b"].item() is None
            continue
        again = pl.DataFrame(held, schema=["event_timestamp", "value"], orient="row").with_columns(
            pl.col("event_timestamp").cast(TIME), key=step["key"].item()
        )
        found = newest_steps(again, SPEC, step.select("key", "event_timestamp"))
        features = list(SPEC.features())
        assert_frame_equal(found[features], step[features], check_exact=True)


def test_a_cell_by_hand() -> None:
    rows = [Row(1, 0, 0, 5), Row(1, MINUTE, MINUTE, 6), Row(1, 9 * MINUTE, 9 * MINUTE, 7)]
    at = pl.DataFrame({"key": [1], **dict.fromkeys(TIMES, [11 * MINUTE])})
    (cell,) = kept_of(rows, at.with_columns(pl.col(TIMES).cast(TIME)))
    held = KEPT.rows_of(cell, 11 * MINUTE, 11 * MINUTE)
    assert held is not None
    assert held.tolist() == [[MINUTE, 6], [9 * MINUTE, 7]]
    assert len(cell) == 8 + 8 * (2 + 2 * 2)


@pytest.mark.parametrize("change", ["absent", "short", "other declaration", "other version"])
def test_what_is_not_of_this_version_is_nothing(change: str) -> None:
    at = pl.DataFrame({"key": [1], **dict.fromkeys(TIMES, [MINUTE])})
    (cell,) = kept_of([Row(1, 0, 0, 5)], at.with_columns(pl.col(TIMES).cast(TIME)))
    version = (MINUTE, MINUTE)
    assert KEPT.rows_of(cell, *version) is not None
    changed = {
        "absent": (KEPT, None, version),
        "short": (KEPT, cell[:-8], version),
        "other declaration": (KeptRows("test/bars", ("flag",), KEPT.reach_us), cell, version),
        "other version": (KEPT, cell, (MINUTE, MINUTE + 1)),
    }
    kept, held, (event_us, created_us) = changed[change]
    assert kept.rows_of(held, event_us, created_us) is None


def test_a_tag_is_read_as_it_was_written_and_another_is_none() -> None:
    assert KeptRows.of_tag(KEPT.tag) == KEPT
    assert KeptRows.of_tag("") is None
    for tag in ("true", "[]", '{"table": "t"}', KEPT.tag.replace('"value"', "1"), "{"):
        assert KeptRows.of_tag(tag) is None
    assert KeptRows.of_tag(KeptRows("t", (), 1).tag) is None
    assert KeptRows.of_tag(KeptRows("t", ("a",), 0).tag) is None
