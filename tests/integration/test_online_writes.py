"""Steps written as columns, on a real Redis: the newest stays, whoever writes at once."""

from __future__ import annotations

import multiprocessing
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from feast.infra.online_stores.redis import RedisOnlineStore
from online_project import OnlineProject, frame, view
from redis import Redis

from lockstep.lake.lake import Lake
from lockstep.stores import online_writes
from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.online_writes import WriteCount
from lockstep.stores.redis_address import RedisAddress
from lockstep.stores.redis_servers import RedisServers
from lockstep.stores.row_commands import HashWrites
from lockstep.stores.view_table import ViewTable

WINDOWS = view("windows", "n", "m")
LIMITS = view("limits", "limit")
TABLE = ViewTable(WINDOWS, Lake.at("."))


@pytest.fixture
def project(redis_url: str, tmp_path: Path) -> OnlineProject:
    return OnlineProject(redis_url, tmp_path)


def test_rows_are_counted_and_read_by_an_unmodified_feast(
    project: OnlineProject, redis_url: str, tmp_path: Path
) -> None:
    rows = [(card, 5, 7, card % 9 or None) for card in range(2100)]
    assert project.write(WINDOWS, *rows) == WriteCount(2100, 0)
    feast = OnlineProject(
        "",
        tmp_path,
        store=RedisOnlineStore(),
        type="redis",
        connection_string=redis_url.split("/")[2],
    )
    wanted = [(5, 3), (5, None), None]
    assert feast.read(WINDOWS, 3, 9)[:2] == project.read(WINDOWS, 3, 9) == wanted[:2]
    assert project.read(WINDOWS, 2100) == [None]


def test_no_rows_are_nothing(project: OnlineProject) -> None:
    assert project.write(WINDOWS) == WriteCount(0, 0)


def test_older_rows_are_left_out_and_equal_ones_written_again(project: OnlineProject) -> None:
    project.write(WINDOWS, (1, 5, 5, 10), (2, 5, 7, 20), (3, 5, 5, 30))
    count = project.write(WINDOWS, (1, 4, 9, 11), (2, 5, 6, 21), (3, 5, 5, 31), (4, 1, None, 41))
    assert count == WriteCount(2, 2)
    assert project.read(WINDOWS, 1, 2, 3, 4) == [(5, 10), (5, 20), (5, 31), (1, 41)]
    assert project.write(WINDOWS, (1, 1, 1, 0)) == WriteCount(0, 1)
    assert project.write(WINDOWS, (1, 5, 6, 12)) == WriteCount(1, 0)
    assert project.read(WINDOWS, 1) == [(5, 12)]


def test_views_in_one_hash_do_not_hide_each_other(project: OnlineProject) -> None:
    project.write(LIMITS, (1, 9, 9, 100))
    assert project.write(WINDOWS, (1, 5, 5, 10)) == WriteCount(1, 0)
    assert project.read(LIMITS, 1) + project.read(WINDOWS, 1) == [(9, 100), (5, 10)]


def test_progress_counts_what_is_written(project: OnlineProject) -> None:
    seen: list[int] = []
    rows = frame(WINDOWS, [(card, 1, 1, 1) for card in range(1234)])
    project.store.write_steps(project.config, WINDOWS, TABLE, rows, seen.append)
    assert seen == [500, 500, 234]


@pytest.mark.parametrize("write", ["write", "push"])
def test_a_key_lives_as_long_as_the_setting_says(
    redis_url: str, tmp_path: Path, write: str
) -> None:
    project = OnlineProject(redis_url, tmp_path, key_ttl_seconds=600)
    getattr(project, write)(WINDOWS, (1, 5, 5, 10))
    getattr(project, write)(WINDOWS, (2, 5, 5, 10))
    with Redis.from_url(redis_url) as redis:
        left = [redis.ttl(key) for key in redis.keys("*") if b"lockstep" not in key]
    assert len(left) == 2 and all(0 < seconds <= 600 for seconds in left)


def by_transaction(url: str, folder: Path, rows: list[Any]) -> None:
    OnlineProject(url, folder).push(WINDOWS, *rows)


def by_script(url: str, folder: Path, rows: list[Any]) -> None:
    servers = RedisServers(RedisAddress.of(url))
    made = HashWrites.of_frame("p", "windows", TABLE, frame(WINDOWS, rows))
    online_writes.RowWriter(servers, "p", "windows")._one_by_one(made)
    servers.close()


@pytest.mark.parametrize("overtake", [by_transaction, by_script])
def test_what_somebody_writes_between_the_look_and_the_transaction_is_compared_again(
    project: OnlineProject,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overtake: Callable[[str, Path, list[Any]], None],
) -> None:
    compare = online_writes._Transaction.of
    arrivals = [(1, 9, 9, 90), (2, 1, 1, 91)]

    def compare_and_be_overtaken(*arguments: Any) -> Any:
        transaction = compare(*arguments)
        if arrivals:
            taken, arrivals[:] = list(arrivals), []
            overtake(redis_url, tmp_path, taken)
        return transaction

    monkeypatch.setattr(online_writes._Transaction, "of", compare_and_be_overtaken)
    assert project.write(WINDOWS, (1, 5, 5, 10), (2, 5, 5, 20)) == WriteCount(1, 1)
    assert project.read(WINDOWS, 1, 2) == [(9, 90), (5, 20)]


def test_one_batch_that_is_overtaken_does_not_slow_down_the_next(
    project: OnlineProject, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = online_writes._Transaction.of
    arrivals = [(1, 9, 9, 90)]

    def compare_and_be_overtaken(*arguments: Any) -> Any:
        transaction = compare(*arguments)
        if arrivals:
            by_transaction(redis_url, tmp_path, [arrivals.pop()])
        return transaction

    monkeypatch.setattr(online_writes._Transaction, "of", compare_and_be_overtaken)
    with Redis.from_url(redis_url) as redis:
        redis.config_resetstat()
        count = project.write(WINDOWS, *((card, 5, 5, card) for card in range(1600)))
        assert redis.info("commandstats")["cmdstat_eval"]["calls"] == 499
    assert count == WriteCount(1599, 1)
    assert project.read(WINDOWS, 1, 2, 1599) == [(9, 90), (5, 2), (5, 1599)]


def test_a_script_does_not_write_over_what_it_has_not_seen(
    project: OnlineProject, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on the way that a cluster takes, row by row."""
    rival = OnlineProject(redis_url, tmp_path)
    overtake_once = [(1, 9, 9, 90), (2, 1, 1, 91)]
    compare = online_writes._is_older

    def compare_and_be_overtaken(*arguments: Any) -> Any:
        answer = compare(*arguments)
        if overtake_once:
            taken, overtake_once[:] = list(overtake_once), []
            rival.push(WINDOWS, *taken)
        return answer

    monkeypatch.setattr(online_writes, "_is_older", compare_and_be_overtaken)
    one_by_one = online_writes.RowWriter._one_by_one
    monkeypatch.setattr(
        online_writes.RowWriter,
        "_transactions",
        lambda self, wire, parts: (one_by_one(self, rows) for rows in parts),
    )
    assert project.write(WINDOWS, (1, 5, 5, 10), (2, 5, 5, 20)) == WriteCount(1, 1)
    assert project.read(WINDOWS, 1, 2) == [(9, 90), (5, 20)]


def _write_shuffled(url: str, folder: Path, seed: int, write: str) -> None:
    """Twenty versions of each of thirty cards, in an order of one's own."""
    project, order = OnlineProject(url, folder), random.Random(seed)
    for version in order.sample(range(20), 20):
        rows = [(card, version, version, version * 100 + card) for card in range(30)]
        getattr(project, write)(WINDOWS, *rows)


def test_two_processes_never_leave_the_older_version(redis_url: str, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=_write_shuffled, args=(redis_url, tmp_path, seed, write))
        for seed, write in enumerate(["write", "push"])
    ]
    _run_all(writers)
    assert [writer.exitcode for writer in writers] == [0, 0]
    _assert_newest(OnlineProject(redis_url, tmp_path))


def test_threads_that_share_a_store_never_leave_the_older_version(
    redis_url: str, tmp_path: Path
) -> None:
    for _ in range(3):
        with Redis.from_url(redis_url) as redis:
            redis.flushall()
        _run_all(
            [
                threading.Thread(target=_write_shuffled, args=(redis_url, tmp_path, n, "write"))
                for n in range(4)
            ]
        )
        _assert_newest(OnlineProject(redis_url, tmp_path))


def test_a_redis_that_goes_away_is_named_and_found_again(
    project: OnlineProject, tmp_path: Path, redis_url: str
) -> None:
    project.write(WINDOWS, (1, 1, 1, 1))
    with Redis.from_url(redis_url) as redis:
        redis.client_kill_filter(_type="normal", skipme=True)
    assert project.write(WINDOWS, (2, 1, 1, 1)) == WriteCount(1, 0)
    gone = OnlineProject("redis://127.0.0.1:1/0", tmp_path)
    with pytest.raises(StoreUnavailableError, match="lockstep redis start"):
        gone.write(WINDOWS, (1, 1, 1, 1))


def _run_all(workers: list[Any]) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)


def _assert_newest(project: OnlineProject) -> None:
    assert project.read(WINDOWS, *range(30)) == [(19, 1900 + card) for card in range(30)]
