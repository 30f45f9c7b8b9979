"""One partition from record to step, killed and restored at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lockstep.contract.record_schema import RecordField, RecordSchema
from lockstep.lake.lake import Lake
from lockstep.stream.checkpoint import Checkpoint, Checkpoints
from lockstep.stream.errors import StreamError
from lockstep.stream.window_partition import WindowPartition
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.steps import steps

MINUTE = 60_000_000
TIME = pl.Datetime("us", "UTC")
SCHEMA = RecordSchema(
    "t/payments",
    "id",
    "card",
    (
        RecordField("id"),
        RecordField("event_timestamp", "time"),
        RecordField("created_timestamp", "time"),
        RecordField("card"),
        RecordField("cents"),
    ),
)
SPECS = [
    WindowSpec(
        name,
        source="t/payments",
        entity="card",
        entity_keys=("card",),
        windows=windows,
        aggregations=(Aggregation("count", what="tx"), Aggregation("sum", "cents")),
    )
    for name, windows in (("short", ("1m", "3m")), ("long", ("5m",)))
]
KEYS = ["card", "event_timestamp", "created_timestamp"]
Row = tuple[int, int, int, int, int]


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema=dict.fromkeys(SCHEMA.names, pl.Int64), orient="row")
    return table.with_columns(pl.col("event_timestamp", "created_timestamp").cast(TIME))


def partition(
    checkpoint: Checkpoint | None = None, lateness: timedelta = timedelta(minutes=60)
) -> WindowPartition:
    begun = checkpoint or Checkpoint(frame([]), instant_at(0), "")
    return WindowPartition(SCHEMA, SPECS, begun.rows, begun.until, lateness=lateness)


events = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 20 * MINUTE), st.integers(0, 2 * MINUTE)),
    min_size=1,
    max_size=25,
)


@given(events, st.integers(1, 6), st.data())
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_worker_that_is_killed_always_leaves_what_a_build_has(
    tmp_path: Path, told: list[tuple[int, int, int]], size: int, data: st.DataObject
) -> None:
    """Records come twice, late and out of order; the worker dies between any two batches."""
    rows = [(n, at, at + late, card, n * 7) for n, (card, at, late) in enumerate(told)]
    again = data.draw(st.lists(st.sampled_from(rows), max_size=5))
    log = data.draw(st.permutations(rows + again))
    checkpoints = Checkpoints(Lake.at(tmp_path), "g", "payments", SCHEMA, SPECS)
    checkpoints.lake.delete(checkpoints.lake.list("_stream/"))
    emitted: dict[str, list[pl.DataFrame]] = {spec.name: [] for spec in SPECS}
    worker, position, until = partition(), 0, 0
    while position < len(log):
        batch = log[position : position + size]
        position += len(batch)
        until += data.draw(st.integers(0, 4 * MINUTE))
        if position >= len(log):
            until = max(until, 60 * MINUTE)
        done = worker.advance(frame(batch), instant_at(until))
        assert done.refused.is_empty()
        for name, found in done.steps.items():
            emitted[name].append(found)
        match data.draw(st.sampled_from(["go on", "keep", "die"])):
            case "keep":
                kept = Checkpoint(worker.rows, worker.until, str(position))
                checkpoints.write(0, kept)
            case "die" if position < len(log):
                found = checkpoints.read(0)
                worker = partition(found)
                position = int(found.position) if found else 0
                until = max(0, (worker.until - instant_at(0)) // timedelta(microseconds=1))
    for spec in SPECS:
        whole = steps(frame(rows), spec, end=instant_at(until))
        newest = pl.concat(emitted[spec.name]).unique(KEYS, keep="last", maintain_order=True)
        newest = newest.sort(KEYS).unique(KEYS[:2], keep="last", maintain_order=True)
        expected = whole.unique(KEYS[:2], keep="last", maintain_order=True)
        assert_frame_equal(newest, expected, check_exact=True)


def test_what_is_repeated_changes_nothing_and_what_conflicts_is_refused() -> None:
    worker = partition()
    first = worker.advance(frame([(1, 5, 5, 1, 100), (1, 5, 9, 1, 100)]), instant_at(10))
    assert (first.repeated, first.refused.height) == (1, 0)
    assert first.steps["short"]["card_cents_sum_1m"].to_list() == [100]
    again = worker.advance(frame([(1, 5, 5, 1, 100), (1, 5, 5, 1, 999)]), instant_at(20))
    assert again.repeated == 1
    assert again.refused.select("cents", "reason").rows() == [(999, "conflicting id")]
    assert all(found.is_empty() for found in again.steps.values())


def test_what_comes_too_late_is_refused_once_and_for_all() -> None:
    worker = partition(lateness=timedelta(minutes=1))
    worker.advance(frame([]), instant_at(10 * MINUTE))
    done = worker.advance(frame([(1, 8 * MINUTE, 8 * MINUTE, 1, 5)]), instant_at(10 * MINUTE))
    assert done.refused["reason"].to_list() == ["too late"]
    assert worker.rows.is_empty()
    restored = partition(Checkpoint(worker.rows, worker.until, ""), timedelta(minutes=1))
    assert restored.advance(frame([]), instant_at(11 * MINUTE)).steps["long"].is_empty()


def test_rows_are_let_go_of_when_no_window_can_hold_them() -> None:
    worker = partition(lateness=timedelta(minutes=1))
    for n in range(60):
        worker.advance(frame([(n, n * MINUTE, n * MINUTE, 1, 1)]), instant_at(n * MINUTE + 1))
    # The longest window, the lateness and the row itself.
    assert 6 <= worker.rows.height <= 8
    assert worker.advance(frame([(0, 59 * MINUTE, 59 * MINUTE, 1, 1)]), worker.until).repeated == 0


def test_a_checkpoint_of_other_windows_is_refused(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    ours = Checkpoints(lake, "g", "payments", SCHEMA, SPECS)
    ours.write(0, Checkpoint(frame([(1, 2, 3, 4, 5)]), instant_at(7), "9"))
    found = ours.read(0)
    assert found is not None
    assert (found.until, found.position, found.rows.rows()[0][0]) == (instant_at(7), "9", 1)
    assert ours.read(1) is None
    with pytest.raises(StreamError, match="of other windows"):
        Checkpoints(lake, "g", "payments", SCHEMA, SPECS[:1]).read(0)
    lake.write_bytes("_stream/g/payments/0.parquet", b"PAR1")
    with pytest.raises(StreamError, match="cannot be read"):
        ours.read(0)
