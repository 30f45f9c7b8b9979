"""Servers and connections that die: readers see the old partition or the new one."""

from __future__ import annotations

import socket
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from s3_servers import S3Server, only_environment, rclone_server

from benchmarks.faulty_way import Fault, faulty_way
from lockstep.lake import s3_objects
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.lake.s3_errors import S3Error

DAY = date(2018, 4, 1)
KEY = "bank/payments/day=2018-04-01/part.parquet"
HALF = 2_000_000
OLD, NEW = bytes(range(256)) * 1000, bytes(2 * HALF)


def through(url: str, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    only_environment(monkeypatch, {**server.environment, "AWS_ENDPOINT_URL": url})


def test_a_server_that_is_killed_during_a_write_has_the_old_object_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bucket").mkdir()
    lake = Lake.at("s3://bucket/lake")
    with rclone_server(tmp_path) as (server, process):
        through(server.url, server, monkeypatch)
        lake.write_bytes(KEY, OLD)
        with faulty_way(server.url, Fault(after=HALF, then=process.kill)) as way:
            through(way.url, server, monkeypatch)
            with pytest.raises(S3Error, match="cannot write, the server does not answer"):
                Lake.at(lake.uri).write_bytes(KEY, NEW)
        assert process.wait(timeout=10) == -9
    with rclone_server(tmp_path) as (server, _):
        through(server.url, server, monkeypatch)
        again = Lake.at(lake.uri)
        assert again.read_bytes(KEY) == OLD
        assert again.table("bank/payments").days() == [DAY]
        again.write_bytes(KEY, NEW)
        assert again.read_bytes(KEY) == NEW


def test_a_connection_that_breaks_during_a_write_leaves_the_old_day(
    moto: S3Server, s3_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = pl.DataFrame({"n": [1]}), pl.DataFrame({"n": range(10**6)}).sample(10**6, seed=1)
    table = Lake.at(s3_uri).table("bank/payments")
    table.write_day(DAY, old)
    with faulty_way(moto.url, Fault(after=10**6)) as way:
        through(way.url, moto, monkeypatch)
        with pytest.raises(S3Error, match="cannot write, the server does not answer"):
            Lake.at(s3_uri).table("bank/payments").write_day(DAY, new)
    assert table.read_day(DAY).equals(old)
    assert table.lake.list("") == [table.part(DAY)]


@pytest.mark.parametrize("read", [Lake.read_bytes, Lake.read_parquet])
def test_a_connection_that_breaks_during_a_read_is_an_error(
    moto: S3Server, s3_uri: str, monkeypatch: pytest.MonkeyPatch, read: object
) -> None:
    rows = pl.DataFrame({"n": range(10**6)}).sample(10**6, seed=1)
    Lake.at(s3_uri).write_parquet(KEY, rows)
    with faulty_way(moto.url, Fault(after=10**4, answers=True)) as way:
        through(way.url, moto, monkeypatch)
        with pytest.raises(LakeError, match=f"{s3_uri}/{KEY}: cannot read, the server does not an"):
            read(Lake.at(s3_uri), KEY)  # type: ignore[operator]


def test_a_server_that_never_answers_is_an_error(
    s3_uri: str, moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_objects, "_READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        through(f"http://127.0.0.1:{silent.getsockname()[1]}", moto, monkeypatch)
        with pytest.raises(S3Error, match=r"cannot list, the server does not answer \(Read time"):
            Lake.at(s3_uri).list("")
        with pytest.raises(LakeError, match=r"cannot read, the server does not answer"):
            Lake.at(s3_uri).read_bytes(KEY)


def test_where_nothing_listens_any_more_the_server_is_named(
    s3_uri: str, moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    through(url, moto, monkeypatch)
    with pytest.raises(S3Error, match=rf"the server does not answer .*{url}.*AWS_ENDPOINT_URL"):
        Lake.at(s3_uri).preflight()
