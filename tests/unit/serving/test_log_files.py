"""Compaction and expiry of the feature log: no row is lost or doubled, wherever it is ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served_batches import EVENING_US, requests, served

from lockstep.lake.errors import NoObjectError
from lockstep.lake.lake import Lake
from lockstep.windows.microseconds import SECOND_US, instant_at
from serving.errors import LogDayError
from serving.log_files import CompactedDay, compact, expire
from serving.log_writer import LogWriter

DAY = instant_at(EVENING_US).date()
NEXT = DAY + timedelta(days=1)
FOLDERS = (f"fraud/predictions/day={DAY}", f"fraud/served_features/cards_v1/day={DAY}")


@pytest.fixture
def log(local_lake: Lake) -> Lake:
    """Three objects of a day in each folder, and one of the next day."""
    writer = LogWriter(local_lake)
    for ids in (("a", "b"), ("c",), ("d", "e")):
        writer.add([served(requests(*ids))])
        writer.write()
    writer.add([served(requests("f"), logged_us=EVENING_US + 2 * SECOND_US)])
    writer.write()
    return local_lake


def request_ids(lake: Lake, folder: str) -> list[str]:
    name = "request_id" if "predictions" in folder else "__request_id"
    parts = [lake.read_parquet(key) for key in lake.list(f"{folder}/")]
    return sorted(pl.concat(parts)[name].to_list()) if parts else []


def compacted(lake: Lake, before: date = NEXT) -> list[CompactedDay]:
    return list(compact(lake, "fraud", before=before))


def test_a_day_becomes_one_object_with_the_same_rows(log: Lake) -> None:
    before = {folder: _rows(log, folder) for folder in FOLDERS}
    assert compacted(log) == [CompactedDay(folder, 3, 5) for folder in FOLDERS]
    for folder in FOLDERS:
        assert len(log.list(f"{folder}/")) == 1
        assert _rows(log, folder).equals(before[folder])
    assert len(log.list(f"fraud/predictions/day={NEXT}/")) == 1


def _rows(lake: Lake, folder: str) -> pl.DataFrame:
    name = "request_id" if "predictions" in folder else "__request_id"
    return pl.concat([lake.read_parquet(key) for key in lake.list(f"{folder}/")]).sort(name)


def test_again_changes_nothing(log: Lake) -> None:
    compacted(log)
    before = {key: log.read_bytes(key) for key in log.list("fraud/")}
    assert {day.rows for day in compacted(log)} == {0}
    assert {key: log.read_bytes(key) for key in log.list("fraud/")} == before


def test_what_comes_after_a_compaction_joins_the_next(log: Lake) -> None:
    compacted(log)
    writer = LogWriter(log)
    writer.add([served(requests("late"))])
    writer.write()
    assert [day.rows for day in compacted(log)] == [6, 6]
    assert request_ids(log, FOLDERS[0]) == ["a", "b", "c", "d", "e", "late"]


class _EndedError(Exception):
    """Stands for a process that was killed."""


@given(st.integers(0, 5))
def test_a_run_that_is_killed_at_any_deletion_loses_and_doubles_nothing(kills: int) -> None:
    for lake in _lakes():
        ending = _Ending(lake.uri, after=kills)
        for _ in range(3):
            try:
                list(compact(ending, "fraud", before=NEXT))
            except _EndedError:
                continue
        list(compact(lake, "fraud", before=NEXT))
        for folder in FOLDERS:
            assert request_ids(lake, folder) == ["a", "b", "c", "d", "e"]
            assert len(lake.list(f"{folder}/")) == 1


def _lakes() -> Iterator[Lake]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        writer = LogWriter(lake)
        for ids in (("a", "b"), ("c",), ("d", "e")):
            writer.add([served(requests(*ids))])
            writer.write()
        yield lake


class _Ending(Lake):
    """A lake of a process that is killed after so many deletions, one by one."""

    def __init__(self, uri: str, *, after: int) -> None:
        super().__init__(uri)
        object.__setattr__(self, "left", after)

    def delete(self, keys: Any) -> None:
        for key in keys:
            if self.left == 0:  # type: ignore[attr-defined]
                object.__setattr__(self, "left", 1)
                raise _EndedError
            object.__setattr__(self, "left", self.left - 1)  # type: ignore[attr-defined]
            super().delete([key])


class _Overtaken(Lake):
    """A lake of a run that another one overtakes before its first write, or its first deletion."""

    def __init__(self, uri: str, *, before: str) -> None:
        super().__init__(uri)
        object.__setattr__(self, "before", before)

    def _overtake(self, call: str) -> None:
        if self.before == call:  # type: ignore[attr-defined]
            object.__setattr__(self, "before", "")
            list(compact(Lake.at(self.uri), "fraud", before=NEXT))

    def delete(self, keys: Any) -> None:
        if keys:
            self._overtake("delete")
        super().delete(keys)

    def write_parquet_batches(self, key: str, batches: Any, **options: Any) -> int:
        read = list(batches)
        self._overtake("write")
        return super().write_parquet_batches(key, read, **options)


@pytest.mark.parametrize("before", ["write", "delete"])
def test_of_two_runs_at_once_neither_doubles_a_row(log: Lake, before: str) -> None:
    overtaken = _Overtaken(log.uri, before=before)
    # What it still has to do was done meanwhile; the next run goes on.
    with suppress(NoObjectError):
        list(compact(overtaken, "fraud", before=NEXT))
    assert overtaken.before == ""  # type: ignore[attr-defined]
    for folder in FOLDERS:
        assert request_ids(log, folder) == ["a", "b", "c", "d", "e"]
        assert len(log.list(f"{folder}/")) == 1


def test_a_column_that_came_during_the_day_is_null_before(log: Lake) -> None:
    key = log.list(f"{FOLDERS[1]}/")[0]
    rows = pq.read_table(pa.BufferReader(log.read_bytes(key)))
    wider = rows.append_column("new", pa.array([7] * rows.num_rows))
    log.write_parquet_batches(f"{FOLDERS[1]}/zz.parquet", [wider])
    compacted(log)
    (whole,) = log.list(f"{FOLDERS[1]}/")
    found = log.read_parquet(whole)["new"]
    assert found.null_count() == 5
    assert found.drop_nulls().unique().to_list() == [7]


def test_objects_that_do_not_fit_together_are_named_and_kept(log: Lake) -> None:
    wrong = pa.table({"request_id": pa.array([1, 2])})
    log.write_parquet_batches(f"{FOLDERS[0]}/zz.parquet", [wrong])
    before = log.list("fraud/predictions/")
    with pytest.raises(LogDayError, match="predictions/day=2018-04-01 do not fit together"):
        compacted(log)
    assert log.list("fraud/predictions/") == before


def test_expired_days_are_gone_and_others_stay(log: Lake) -> None:
    assert expire(log, "fraud", before=NEXT) == list(FOLDERS)
    assert request_ids(log, FOLDERS[0]) == []
    assert request_ids(log, f"fraud/predictions/day={NEXT}") == ["f"]
    assert expire(log, "fraud", before=NEXT) == []
