"""The compiled read path against rows that the online store wrote, on a real Redis."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from written_rows import CARD, KINDS, LIMIT, PLAN, SHOP, T0_US, OnUvloop, Written, run

from benchmarks.faulty_way import Fault, faulty_way
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.errors import EntityKeyError, StoreUnavailableError
from lockstep.stores.online_read import ViewRead
from lockstep.stores.online_reader import BlockingReader, OnlineReader


@pytest.fixture
def written(redis_url: str, tmp_path: Path) -> Written:
    return Written(redis_url, tmp_path)


@KINDS
def test_a_batch_is_read_row_by_row_and_view_by_view(
    redis_url: str, written: Written, kind: type[Any]
) -> None:
    written.row(CARD, 1, n=7, valid_until_us=T0_US + 9)
    written.row(LIMIT, 1, limit=None)
    written.row(SHOP, 2, m=3)
    written.horizon(CARD, 60)
    rows = [{"card_id": 1, "shop_id": 9}, {"card_id": 9, "shop_id": 2}]
    first, second = run(redis_url, lambda reader: reader.read(rows), kind=kind)
    known = {"event_us": T0_US, "created_us": T0_US + 3}
    horizon = T0_US + 60_000_000
    assert first == {
        "card": ViewRead(
            ("n",), valid_until_us=T0_US + 9, horizon_us=horizon, values={"n": 7}, **known
        ),
        "limit": ViewRead(("limit",), values={"limit": None}, **known),
        "shop": ViewRead(("m",)),
    }
    assert second == {
        "card": ViewRead(("n",), horizon_us=horizon),
        "limit": ViewRead(("limit",)),
        "shop": ViewRead(("m",), values={"m": 3}, **known),
    }


@KINDS
def test_no_rows_are_no_answers(redis_url: str, kind: type[Any]) -> None:
    assert run(redis_url, lambda reader: reader.read([]), kind=kind) == []
    vectors = run(redis_url, lambda reader: reader.vectors([], []), kind=kind)
    assert vectors.values.shape == (0, 3)


@KINDS
def test_a_bad_id_is_refused_before_redis_is_asked(kind: type[Any]) -> None:
    with pytest.raises(EntityKeyError):
        run("redis://127.0.0.1:1/0", lambda reader: reader.read([{"card_id": "x"}]), kind=kind)


@KINDS
def test_many_rows_go_out_in_several_parts_and_stay_in_order(
    redis_url: str, written: Written, kind: type[Any]
) -> None:
    for card in range(0, 700, 7):
        written.row(CARD, card, n=card, valid_until_us=None)
    rows = [{"card_id": card, "shop_id": 1} for card in range(700)]
    vectors = run(redis_url, lambda r: r.vectors(rows, [T0_US + 9] * 700), kind=kind)
    assert [n for n in vectors.values[:, 0].tolist() if n == n] == list(range(0, 700, 7))
    reads = run(redis_url, lambda r: r.read(rows), kind=kind)
    assert [read["card"].values.get("n") for read in reads[:8]] == [0, *[None] * 6, 7]


def test_tasks_and_threads_share_a_reader(redis_url: str, written: Written) -> None:
    for card in range(50):
        written.row(CARD, card, n=card, valid_until_us=None)

    async def ask(reader: OnlineReader, card: int) -> Any:
        (read,) = await reader.read([{"card_id": card, "shop_id": 1}])
        return read["card"].values["n"]

    async def all_at_once(reader: OnlineReader) -> list[Any]:
        return await asyncio.gather(*(ask(reader, card) for card in range(50)))

    assert run(redis_url, all_at_once) == list(range(50))
    blocking = BlockingReader(redis_url, PLAN)
    with ThreadPoolExecutor(8) as threads:
        rows = [[{"card_id": card, "shop_id": 1}] for card in range(50)]
        found = [read["card"].values["n"] for (read,) in threads.map(blocking.read, rows)]
    blocking.close()
    assert found == list(range(50))


def test_a_task_that_is_cancelled_leaves_the_others_their_answers(
    redis_url: str, written: Written
) -> None:
    written.row(CARD, 1, n=7, valid_until_us=None)
    rows = [{"card_id": 1, "shop_id": 1}]

    async def cancel_one(reader: OnlineReader) -> Any:
        await reader.read(rows)
        first, second = (asyncio.create_task(reader.read(rows)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        (read,) = await second
        return read["card"].values

    assert run(redis_url, cancel_one) == {"n": 7}


def test_horizons_are_asked_for_once_a_second_and_before_the_rows(
    redis_url: str, written: Written
) -> None:
    now = 0.0

    async def three_reads(reader: OnlineReader) -> list[int | None]:
        nonlocal now
        horizons = []
        for now in (0.0, 0.9, 1.0):
            written.horizon(CARD, int(now * 10))
            (read,) = await reader.read([{"card_id": 1, "shop_id": 1}])
            horizons.append(read["card"].horizon_us)
        return horizons

    with Redis.from_url(redis_url) as redis, redis.monitor() as monitor:
        horizons = run(redis_url, three_reads, monotonic=lambda: now)
        redis.echo("done")
        seen = list(takewhile(lambda c: c["command"] != "ECHO done", monitor.listen()))
    assert horizons == [T0_US, T0_US, T0_US + 10_000_000]
    # What the script that advances a horizon asks for is not the reader's doing.
    reads = [c["command"][0] for c in seen if c["client_type"] != "lua"]
    assert "".join(c for c in reads if c in "GH") == "GGGHH" + "HH" + "GGGHH"


@KINDS
def test_a_redis_that_is_down_is_named_and_found_again(tmp_path: Path, kind: type[Any]) -> None:
    async def through_a_restart(reader: Any) -> None:
        rows = [{"card_id": 1, "shop_id": 1}]
        for _ in range(2):
            with embedded_redis(tmp_path / "data", port=port):
                (read,) = await reader.read(rows)
                assert read["card"].values == {"n": 7}
                await reader.ping()
            with pytest.raises(StoreUnavailableError, match="lockstep redis start"):
                await reader.read(rows)
            with pytest.raises(StoreUnavailableError):
                await reader.ping()

    with embedded_redis(tmp_path / "data") as url:
        Written(url, tmp_path).row(CARD, 1, n=7, valid_until_us=None)
        port = int(url.rsplit(":", 1)[1].split("/")[0])
    run(url, through_a_restart, kind=kind)


@KINDS
def test_a_redis_that_hangs_is_not_waited_for(kind: type[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with pytest.raises(StoreUnavailableError, match="(?i)timeout"):
            rows = [{"card_id": 1, "shop_id": 1}]
            run(url, lambda r: r.read(rows), timeout_seconds=0.1, kind=kind)


@pytest.mark.parametrize("kind", [OnlineReader, OnUvloop])
def test_a_loop_that_is_busy_itself_is_not_taken_for_a_redis_that_hangs(
    redis_url: str, written: Written, kind: type[Any]
) -> None:
    written.row(CARD, 1, n=7, valid_until_us=None)
    written.row(SHOP, 1, m=3)
    rows = [{"card_id": 1, "shop_id": 1}]

    async def beside_other_work(reader: Any) -> None:
        await reader.ping()
        for rows_at_once in (rows, rows * 700):
            asked = asyncio.ensure_future(reader.read(rows_at_once))
            await asyncio.sleep(0.001)
            time.sleep(0.3)  # noqa: ASYNC251  the loop is blocked, as by a large batch
            assert (await asked)[-1]["card"].values == {"n": 7}

    run(redis_url, beside_other_work, timeout_seconds=0.1, kind=kind)


@KINDS
def test_a_redis_that_refuses_one_command_gives_no_partial_answer(
    redis_url: str, written: Written, kind: type[Any]
) -> None:
    written.row(SHOP, 1, m=3)
    with Redis.from_url(redis_url) as redis:
        redis.set(PLAN.keys[0].key({"card_id": 1}), "not a hash")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        run(redis_url, lambda reader: reader.read([{"card_id": 1, "shop_id": 1}]), kind=kind)


@KINDS
def test_an_answer_that_is_cut_short_is_an_error(
    redis_url: str, written: Written, kind: type[Any]
) -> None:
    written.row(CARD, 1, n=7, valid_until_us=None)
    rows = [{"card_id": card, "shop_id": 1} for card in range(700)]
    with faulty_way(redis_url, Fault(after=5000, answers=True)) as way:
        with pytest.raises(StoreUnavailableError, match="closed|Broken pipe"):
            run(way.url, lambda r: r.vectors(rows, [T0_US] * 700), kind=kind)
        assert len(run(way.url, lambda r: r.read(rows[:2]), kind=kind)) == 2
