"""The queue before the log: bounded, sampled by request, and never in a request's way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served_batches import ids, requests, served, with_value
from structlog.testing import capture_logs

from lockstep.lake.lake import Lake
from serving.feature_log import FeatureLog
from serving.served_rows import ServedRows

CLOSE_SECONDS = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Waits for the thread; a test that waits for ever is ended by its own limit."""
    while not condition():
        time.sleep(0.001)


@contextmanager
def blocked_lake() -> Iterator[tuple[Lake, Path]]:
    """A lake that cannot be written until the file is removed which lies in its way."""
    with TemporaryDirectory() as folder:
        in_the_way = Path(folder) / "lake"
        in_the_way.write_text("a file where a folder should be")
        yield Lake.at(in_the_way), in_the_way


def has_failed(log: FeatureLog) -> bool:
    return bool(log._why_not)


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(0, 9), max_size=30), max_rows=st.integers(1, 40))
def test_never_more_rows_wait_than_may_and_none_is_uncounted(
    sizes: list[int], max_rows: int
) -> None:
    with blocked_lake() as (lake, in_the_way):
        log = FeatureLog(lake, max_rows=max_rows, flush_rows=3, flush_seconds=0.001)
        alive: weakref.WeakSet[ServedRows] = weakref.WeakSet()
        put: list[str] = []
        for number, size in enumerate(sizes):
            named = [f"{number:02}-{place}" for place in range(size)]
            put += named
            rows = served(requests(*named))
            alive.add(rows)
            log.put(rows)
            del rows
            assert log.queued <= max_rows
            assert log.queued + log.dropped == len(put)
            assert len(alive) <= max_rows
        kept = log.queued
        assert kept == min(len(put), max_rows)
        assert log.written == 0
        in_the_way.unlink()
        log.close(CLOSE_SECONDS)
        assert (log.written, log.queued, log.dropped) == (kept, 0, len(put) - kept)
        assert ids(lake, "features") == ids(lake, "predictions") == put[:kept]


def test_dropped_rows_are_not_held_by_those_that_were_kept() -> None:
    with blocked_lake() as (lake, _):
        log = FeatureLog(lake, max_rows=2, flush_seconds=60)
        rows = served(requests("a", "b", "c"))
        values = weakref.ref(rows.values)
        log.put(rows)
        del rows
        assert values() is None
        assert (log.queued, log.dropped) == (2, 1)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_batches_without_rows_do_not_wait(local_lake: Lake, share: float) -> None:
    log = FeatureLog(local_lake, share=share, flush_seconds=3600)
    alive: weakref.WeakSet[ServedRows] = weakref.WeakSet()
    for _ in range(10):
        rows = served(requests(*([] if share else ["a"])))
        alive.add(rows)
        log.put(rows)
        del rows
    assert not alive
    log.close(CLOSE_SECONDS)
    assert local_lake.list("") == []
    assert (log.skipped, log.written) == (0 if share else 10, 0)


def test_a_failed_write_waits_for_its_time_however_many_rows_come(local_lake: Lake) -> None:
    tried: list[str] = []

    class Down(Lake):
        def write_parquet_batches(
            self, key: str, batches: Iterable[pa.Table], **options: Any
        ) -> int:
            tried.append(key)
            raise ConnectionError("no answer")

    log = FeatureLog(Down(local_lake.uri), flush_rows=1, flush_seconds=3600)
    log.put(served(requests("a")))
    until(lambda: has_failed(log))
    for id in "bcdefghij":
        log.put(served(requests(id)))
        # Time enough for a thread that is not waiting.
        time.sleep(0.01)
    assert len(tried) == 1
    log.close(CLOSE_SECONDS)
    assert log.queued == 10
    assert len(set(tried)) == 1


def test_enough_rows_are_written_before_it_is_time(local_lake: Lake) -> None:
    log = FeatureLog(local_lake, flush_rows=2, flush_seconds=3600)
    for first, second in ("ab", "cd"):
        log.put(served(requests(first)))
        log.put(served(requests(second)))
        until(lambda: log.queued == 0)
    assert log.written == 4
    assert ids(local_lake, "predictions") == list("abcd")
    log.close(CLOSE_SECONDS)


def test_few_rows_are_written_when_it_is_time(local_lake: Lake) -> None:
    log = FeatureLog(local_lake, flush_seconds=0.001)
    log.put(served(requests("a")))
    until(lambda: log.queued == 0)
    assert ids(local_lake, "features") == ["a"]
    log.close(CLOSE_SECONDS)


def test_an_object_has_about_as_many_rows_as_a_flush(local_lake: Lake) -> None:
    log = FeatureLog(local_lake, flush_rows=3, flush_seconds=3600)
    log.put(served(requests(*"abcdefgh")))
    for id in "ijkl":
        log.put(served(requests(id)))
    log.close(CLOSE_SECONDS)
    sizes = [local_lake.read_parquet(key).height for key in local_lake.list("fraud/predictions/")]
    assert sum(sizes) == 12
    assert len(sizes) >= 3


def test_each_reason_is_logged_once_and_again_after_a_success() -> None:
    with blocked_lake() as (lake, in_the_way), capture_logs() as logs:
        log = FeatureLog(lake, flush_seconds=0.001)
        for id in "ab":
            log.put(served(requests(id)))
            until(lambda: has_failed(log))
            # Some more flushes of the same outcome.
            time.sleep(0.05)
            in_the_way.unlink()
            until(lambda: log.queued == 0 and not has_failed(log))
            _block_again(lake, in_the_way)
        log.close(CLOSE_SECONDS)
    assert [entry["event"] for entry in logs] == [
        "served features cannot be logged",
        "served features are logged again",
    ] * 2
    assert logs[0]["why"] == "Not a directory"
    assert isinstance(logs[0]["exc_info"], NotADirectoryError)


def _block_again(lake: Lake, in_the_way: Path) -> None:
    lake.delete(lake.list(""))
    in_the_way.rmdir()
    in_the_way.write_text("a file again")


def test_rows_that_cannot_be_logged_do_not_stop_it(local_lake: Lake) -> None:
    log = FeatureLog(local_lake, flush_seconds=0.001)
    with capture_logs() as logs:
        log.put(with_value(served(requests("a", "b")), 0.5))
        until(lambda: log.dropped == 2)
        log.put(served(requests("c")))
        until(lambda: log.written == 1)
    assert [entry["event"] for entry in logs] == ["served rows cannot be logged"]
    log.close(CLOSE_SECONDS)
    assert (log.queued, log.dropped, log.written) == (0, 2, 1)


def test_what_is_put_after_the_end_is_dropped(local_lake: Lake) -> None:
    log = FeatureLog(local_lake, flush_seconds=3600)
    log.put(served(requests("a")))
    log.close(CLOSE_SECONDS)
    log.put(served(requests("b")))
    log.close(CLOSE_SECONDS)
    assert (log.written, log.queued, log.dropped) == (1, 0, 1)


def test_rows_that_are_left_at_the_end_are_told_of() -> None:
    with blocked_lake() as (lake, _), capture_logs() as logs:
        log = FeatureLog(lake, flush_seconds=3600)
        log.put(served(requests("a", "b")))
        log.close(CLOSE_SECONDS)
    assert logs[-1]["event"] == "served features were not logged"
    assert (logs[-1]["rows"], logs[-1]["why"]) == (2, "Not a directory")


_SERVER = """
import sys
sys.path.insert(0, sys.argv[2])
from served_batches import requests, served
from lockstep.lake.lake import Lake
from serving.feature_log import FeatureLog
log = FeatureLog(Lake.at(sys.argv[1]), flush_rows=50, flush_seconds=0.01)
number = 0
while True:
    log.put(served(requests(*(f"{number}-{place}" for place in range(5)))))
    number += 1
    if number % 40 == 0:
        print(log.written, flush=True)
"""


def test_what_was_flushed_outlives_a_kill(local_lake: Lake) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, local_lake.uri, str(Path(__file__).parent)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    with server.stdout:
        flushed = next(count for line in server.stdout if (count := int(line)) > 200)
        server.send_signal(signal.SIGKILL)
        assert server.wait(CLOSE_SECONDS) == -signal.SIGKILL
    features, predictions = ids(local_lake, "features"), ids(local_lake, "predictions")
    assert len(predictions) >= flushed
    assert len(set(predictions)) == len(predictions)
    assert set(predictions) <= set(features)
    # In the order in which they came, without a gap.
    batches = sorted({int(id.partition("-")[0]) for id in predictions})
    assert batches == list(range(len(batches)))
    assert len(predictions) == 5 * len(batches)


def test_it_imports_no_heavy_library() -> None:
    code = (
        "import sys, serving.feature_log\n"
        "print({n.partition('.')[0] for n in sys.modules} & {'feast', 'mlflow', 'pyspark'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
