"""The oracle in SQL against the window core, which it shares no computation with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from histories import EVERYTHING, GRIDS, MINUTE, built, frame, histories, spec_of
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from step_oracle import Row

from lockstep.parity.sql import oracle
from lockstep.parity.sql.oracle import STEP, sql_values, unsaid, within_reach
from lockstep.windows.functions import FUNCTIONS
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import Aggregation, WindowSpec

BAR = 60 * MINUTE
OF_BARS = sorted(name for name, function in FUNCTIONS.items() if function.needs_bar)
BARS = WindowSpec(
    name="key_bars",
    source="test/bars",
    entity="key",
    entity_keys=("key",),
    windows=("1b", "3b", "10b", "16b"),
    aggregations=(
        *(Aggregation(name, "value") for name in OF_BARS),
        Aggregation("mean", "value"),
        Aggregation("max", "value"),
        Aggregation("last", "value"),
        Aggregation("count", what="bar"),
    ),
    bar="1h",
)
grids = st.sampled_from(GRIDS).map(lambda grid: replace(EVERYTHING, **grid))


def joined(steps: pl.DataFrame, spec: WindowSpec, asked: pl.DataFrame) -> pl.DataFrame:
    """The newest step until T that was known at T, by its definition."""
    t = pl.col("event_timestamp")
    pairs = asked.rename({"event_timestamp": "t"}).with_row_index("n").join(steps, on="key")
    known = pairs.filter(t <= pl.col("t"), pl.col("created_timestamp") <= pl.col("t"))
    newest = known.sort("event_timestamp", "created_timestamp").unique("n", keep="last")
    rows = asked.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("n"))
    return rows.join(newest, on="n", how="left", maintain_order="left").select(
        t.to_physical().alias(STEP), *spec.features()
    )


def asked_at(keys_and_times: list[tuple[int, int]]) -> pl.DataFrame:
    rows = {"key": [k for k, _ in keys_and_times], "t": [instant_at(t) for _, t in keys_and_times]}
    return pl.DataFrame(rows, schema={"key": pl.Int64, "t": pl.Datetime("us", "UTC")}).rename(
        {"t": "event_timestamp"}
    )


instants = st.tuples(st.integers(1, 4), st.integers(-MINUTE, 25 * MINUTE))


@given(histories, grids, st.lists(instants, min_size=1, max_size=6), st.data())
def test_sql_always_says_what_the_join_of_the_steps_says(
    rows: list[Row], spec: WindowSpec, asked: list[tuple[int, int]], data: st.DataObject
) -> None:
    row = data.draw(st.sampled_from(rows))
    for edge in (row.event, row.created, row.event + data.draw(st.sampled_from(spec.lengths_us))):
        asked += [(row.key, edge), (row.key, edge + 1)]
    entities = asked_at(asked)
    expected = joined(built(rows, spec), spec, entities)
    found = sql_values(frame(rows), spec, entities)
    assert_frame_equal(found, expected, check_exact=True)


@settings(max_examples=30)
@given(st.lists(st.integers(-50, 5_000), min_size=1, max_size=40), st.data())
def test_sql_of_bars_is_always_what_the_core_says_up_to_rounding(
    values: list[int], data: st.DataObject
) -> None:
    missing = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=3))
    rows = [Row(1, n * BAR, n * BAR, value) for n, value in enumerate(values) if n not in missing]
    if not rows:
        return
    entities = asked_at([(1, n * BAR + off) for n in range(len(values) + 4) for off in (0, 1)])
    expected = joined(built(rows, BARS), BARS, entities)
    found = sql_values(frame(rows), BARS, entities)
    for name, kind in BARS.features().items():
        one, other = found.get_column(name), expected.get_column(name)
        assert one.is_null().equals(other.is_null()), name
        if kind == "int64":
            assert one.equals(other), name
        else:
            left, right = (s.fill_null(0).to_numpy() for s in (one, other))
            np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-8, err_msg=name)


def test_sql_is_written_for_every_function_that_there_is() -> None:
    parts = [Aggregation(n, "value") for n, f in FUNCTIONS.items() if not f.needs_bar]
    assert unsaid(spec_of(*parts)) == []
    assert unsaid(BARS) == []


def test_a_function_without_sql_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(oracle.AGGREGATES, "median")
    assert unsaid(spec_of(Aggregation("median", "value"), Aggregation("sum", "value"))) == [
        "median"
    ]
    filtered = replace(BARS, aggregations=(Aggregation("ema", "value", where="flag"),))
    assert unsaid(filtered) == ["ema"]


def test_sums_beyond_float_are_exact_to_the_bit() -> None:
    large = 3_037_000_499
    rows = [Row(1, n, n, large - n * 7_919) for n in range(50)]
    spec = spec_of(*(Aggregation(name, "value") for name in ("std", "sum", "mean", "median")))
    entities = asked_at([(1, 40), (1, 1_000)])
    expected = joined(built(rows, spec), spec, entities)
    assert_frame_equal(
        sql_values(frame(rows), spec, entities).select(*spec.features()),
        expected.select(*spec.features()),
        check_exact=True,
    )


def test_hot_entities_are_left_out_beyond_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "MOST_PAIRS", 5)
    events = frame([Row(key, n, n, 1) for key in (1, 2) for n in range(3)])
    entities = asked_at([(1, 9), (3, 9), (2, 9)])
    assert within_reach(events, EVERYTHING, entities).to_list() == [True, True, False]
    assert sql_values(events, EVERYTHING, entities.head(0)).is_empty()
