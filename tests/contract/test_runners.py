"""What every engine of builds gives: the same files, byte for byte, and the same errors."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from runners import ENGINES, Engine, run, table_files
from source_histories import HOURS, SPECS, STEPS, T0, Row, histories, write_source

from lockstep.jobs.arrivals import HOUR_US
from lockstep.lake.lake import Lake
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.steps import steps

pytestmark = pytest.mark.usefixtures("spark")

END = HOURS + 60
# Each example is some builds, and each build some jobs of Spark.
FEW = settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])

specs = st.sampled_from(SPECS)


def whole(rows: Sequence[Row], spec: WindowSpec, end: int) -> dict[str, bytes]:
    """What a fresh local build leaves."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write_source(lake, rows)
        run(ENGINES["local"], lake, spec, end=end)
        return table_files(lake, spec)


def test_the_worked_example_of_the_design(engine: Engine, tmp_path: Path) -> None:
    lake, day = Lake.at(tmp_path), 24 * HOUR_US
    write_source(lake, [Row("a", 1, at, at, 1) for at in (0, 0, day)])
    count = (Aggregation("count", what="tx"),)
    spec = WindowSpec("w", STEPS.source, "card", STEPS.entity_keys, ("1d", "7d"), count)
    run(engine, lake, spec, end=24 * 10)
    table = lake.table(spec.table).scan().collect().sort("event_timestamp")
    at = (table["event_timestamp"] - T0).dt.total_microseconds().to_list()
    until = [v and v - int(T0.timestamp()) * 10**6 for v in table["valid_until_us"]]
    counts = zip(table["card_tx_count_1d"], table["card_tx_count_7d"], strict=True)
    assert at == [1, day, day + 1, 2 * day, 7 * day, 8 * day]
    assert list(counts) == [(2, 2), (0, 2), (1, 3), (0, 3), (0, 1), (0, 0)]
    assert until == [day, 7 * day, 2 * day, 7 * day, 8 * day, None]


@FEW
@given(rows=histories(most=40), spec=specs)
def test_the_table_holds_the_steps_of_the_core(
    engine: Engine, rows: list[Row], spec: WindowSpec
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write_source(lake, rows)
        (receipt,) = run(engine, lake, spec, end=END)
        order = [*spec.entity_keys, "event_timestamp", "created_timestamp"]
        events = lake.table(spec.source).scan().collect()
        expected = steps(events, spec, end=T0 + timedelta(hours=END))
        assert_frame_equal(lake.table(spec.table).scan().collect().sort(order), expected)
        assert receipt.steps == expected.height
        assert receipt.rows_in == len(rows)


@FEW
@given(rows=histories(most=40), spec=specs, bounds=st.data())
def test_engines_take_turns_and_leave_the_files_of_one_local_build(
    rows: list[Row], spec: WindowSpec, bounds: st.DataObject
) -> None:
    first = min(row.event for row in rows) // HOUR_US + 1
    hours = st.lists(st.integers(first, END), min_size=1, max_size=3, unique=True)
    ends = sorted(bounds.draw(hours))
    engines = [bounds.draw(st.sampled_from(sorted(ENGINES))) for _ in ends]
    assume("spark" in engines)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write_source(lake, rows)
        run(ENGINES[engines[0]], lake, spec, end=ends[0])
        for name, (start, end) in zip(engines[1:], pairwise(ends), strict=True):
            (receipt,) = run(ENGINES[name], lake, spec, start=start, end=end)
            assert receipt.stale_days == ()
        assert table_files(lake, spec) == whole(rows, spec, ends[-1])


@FEW
@given(rows=histories(), backfill=histories(most=3), spec=specs)
def test_a_cascade_after_a_backfill_is_a_whole_build(
    engine: Engine, rows: list[Row], backfill: list[Row], spec: WindowSpec
) -> None:
    first = min(row.known for row in backfill) // HOUR_US
    assume(first < END)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write_source(lake, rows)
        run(engine, lake, spec, end=END)
        write_source(lake, rows + backfill)
        (receipt,) = run(engine, lake, spec, start=first, end=first + 1, cascade=1)
        assert receipt.stale_days == ()
        assert table_files(lake, spec) == whole(rows + backfill, spec, END)


def test_receipts_differ_in_what_the_engine_is_and_costs_only(tmp_path: Path) -> None:
    rows = [Row("a", card, 7 * card, (7 + card % 3) * HOUR_US, card) for card in range(1, 9)]
    rows.append(rows[3]._replace(created=30 * HOUR_US, is_deleted=True))
    receipts = []
    for name, runner in ENGINES.items():
        lake = Lake.at(tmp_path / name)
        write_source(lake, rows)
        run(runner, lake, *SPECS, end=20)
        receipts.append(run(runner, lake, *SPECS, start=4, end=END))
    plain = [
        [replace(one, engine="", seconds=0.0, peak_mb=0) for one in receipts_of_one]
        for receipts_of_one in receipts
    ]
    assert plain[0] == plain[1]
    assert plain[0][0].deletions == 1


KEYS = {
    "text": pl.Series(["", "a", "Ä", "a\n`b", "日本", "a"]),
    "unsigned": pl.Series([0, 1, 2**64 - 1, 3, 1, 0], dtype=pl.UInt64),
    "u32": pl.Series([0, 1, 2**32 - 1, 3, 1, 0], dtype=pl.UInt32),
    "small": pl.Series([-128, 1, 127, 3, 1, 0], dtype=pl.Int8),
    "flag": pl.Series([True, False] * 3),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_type(kind: str, tmp_path: Path) -> None:
    times = pl.Series([T0 + timedelta(hours=h) for h in (1, 2, 3, 4, 5, 6)])
    source = pl.DataFrame(
        {
            "key": KEYS[kind],
            "event_timestamp": times,
            "created_timestamp": times,
            "value": pl.Series([1, 2, 3, 4, 5, 6], dtype=pl.UInt16),
        }
    ).cast(
        {"event_timestamp": pl.Datetime("us", "UTC"), "created_timestamp": pl.Datetime("us", "UTC")}
    )
    spec = WindowSpec(
        "w", "bank/payments", "card", ("key",), ("90m",), (Aggregation("sum", "value"),)
    )
    found = []
    for name, runner in ENGINES.items():
        lake = Lake.at(tmp_path / name)
        lake.table(spec.source).write_day(T0.date(), source)
        run(runner, lake, spec, end=24)
        found.append(table_files(lake, spec))
    assert found[0] == found[1]
    assert lake.table(spec.table).scan().collect_schema()["key"] == KEYS[kind].dtype
