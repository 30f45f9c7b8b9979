"""What only a lake in a folder can do: fill the disk, leave halves behind, keep empty folders."""

from __future__ import annotations

import io
import os
import resource
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pytest

from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.lake.local_objects import LocalObjects


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """The kernel refuses the byte after; the rest of a longer write has then been written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(params=["a file without a name", "a file with a name"])
def written_as(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of writing: not every system has files without a name."""
    if request.param == "a file with a name":
        monkeypatch.setattr("lockstep.lake.local_objects._OPEN_FILES", Path("/nowhere"))


@pytest.mark.usefixtures("written_as")
def test_a_write_that_fails_half_way_leaves_the_old_object_alone(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.write_bytes("a/x", b"old")
    with no_file_longer_than(1000), pytest.raises(OSError, match="too large"):
        lake.write_bytes("a/x", bytes(2000))
    assert lake.read_bytes("a/x") == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x"]


class Killing(io.BytesIO):
    """A file of whose reader nothing is left once it asks for the end."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size) or os.kill(os.getpid(), signal.SIGKILL) or b""


def _write_and_die(folder: Path) -> None:
    LocalObjects(folder).write_file("a/x.parquet", Killing(b"PAR1"))


def test_a_killed_writer_leaves_nothing(tmp_path: Path) -> None:
    writer = get_context("spawn").Process(target=_write_and_die, args=(tmp_path,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


def test_who_reads_the_folder_meanwhile_sees_only_whole_objects(tmp_path: Path) -> None:
    seen: list[int] = []

    class Watching(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            seen.append(pl.scan_parquet(tmp_path / "a").collect().height)
            # More than is gathered before it is written, less than all.
            return super().read(20_000)

    rows = pl.DataFrame({"n": [os.urandom(50_000)]})
    Lake.at(tmp_path).write_parquet("a/x.parquet", rows)
    second = Watching((tmp_path / "a/x.parquet").read_bytes())
    LocalObjects(tmp_path).write_file("a/y.parquet", second)
    assert seen == [1] * len(seen)
    assert len(seen) > 2
    assert pl.scan_parquet(tmp_path / "a").collect().height == 2


def test_what_an_older_killed_writer_left_is_not_seen(tmp_path: Path) -> None:
    table = Lake.at(tmp_path).table("bank/payments")
    table.write_day(date(2018, 4, 1), pl.DataFrame({"n": [1]}))
    half = tmp_path / "bank/payments/day=2018-04-02/.4b1f.tmp"
    half.parent.mkdir()
    half.write_bytes(b"PAR1")
    assert table.days() == [date(2018, 4, 1)]
    assert table.lake.list("bank/payments/day=2018-04-02") == []


def test_folders_end_with_their_last_object(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    for key in ("a/b/c/x", "a/y"):
        lake.write_bytes(key, b"")
    lake.delete(["a/b/c/x"])
    assert not (tmp_path / "lake/a/b").exists()
    lake.delete(["a/y"])
    assert list((tmp_path / "lake").iterdir()) == []


@pytest.mark.usefixtures("written_as")
def test_a_folder_that_is_removed_while_it_is_written_to_is_made_again(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    ended = threading.Event()

    def remove_folders() -> None:
        while not ended.is_set():
            lake.delete(["a/b/nothing"])

    with ThreadPoolExecutor(2) as pool:
        removals = [pool.submit(remove_folders) for _ in range(2)]
        try:
            for turn in range(50):
                lake.write_bytes("a/b/x", b"")
                assert lake.list("a/") == ["a/b/x"], turn
                lake.delete(["a/b/x"])
        finally:
            ended.set()
    assert [removal.result() for removal in removals] == [None, None]


def test_a_file_that_the_system_does_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").symlink_to("/proc/self/mem")
    with pytest.raises(LakeError, match=rf"{tmp_path}/x.parquet cannot be read .*Input/output err"):
        Lake.at(tmp_path).read_parquet("x.parquet")


def test_preflight_names_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LakeError, match=rf"the lake at {tmp_path}/file/lake cannot be used \("):
        Lake.at(tmp_path / "file" / "lake").preflight()


@pytest.mark.parametrize(
    "uri", ["gs://bucket/lake", "s3://", "s3:///", "file://host/lake", "s3:/", "://x"]
)
def test_other_places_are_refused(uri: str) -> None:
    with pytest.raises(LakeError, match="is not the place of a lake"):
        Lake.at(uri)


def test_a_path_and_its_uri_are_one_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Lake.at("a b") == Lake.at(tmp_path / "a b") == Lake.at(f"file://{tmp_path}/a%20b")


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.at(tmp_path)
    lake.write_bytes("a/b/x", b"")
    scandir = os.scandir

    def guarded(folder: str) -> object:
        if folder.endswith("/b"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(LakeError, match=r"a/b cannot be used \(.*Permission denied"):
        lake.list("a/")


def test_folders_that_are_links_are_left_alone(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.write_bytes("a/x", b"")
    (tmp_path / "a/round").symlink_to(tmp_path / "a")
    assert lake.list("") == ["a/x"]
