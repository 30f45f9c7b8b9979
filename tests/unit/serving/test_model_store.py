"""The models that serve: taken over from the cache, kept when the next one cannot be loaded."""

from __future__ import annotations

import asyncio

import pytest
from stored_models import Served, run
from structlog.testing import capture_logs

from lockstep.contract.registered_model import NoModelError
from serving.model_cache import EXAMPLE, CacheState


def test_before_the_fetcher_said_anything_it_is_loading(served: Served) -> None:
    async def test() -> None:
        await served.store.refresh()
        assert isinstance(served.refusal(), NoModelError)
        assert "is being loaded" in str(served.refusal())

    run(test)


def test_a_champion_is_taken_over_and_scores(served: Served) -> None:
    async def test() -> None:
        await served.decided(champion=served.fetched(3))
        assert served.versions() == (3, None)
        predictor = served.store.current().champion.served.predictor
        assert 0 < predictor.scores({"a": [1.0], "b": [2.0]})[0] < 1
        assert served.swaps == [("champion", 3)]

    run(test)


def test_what_is_not_new_is_not_loaded_again(served: Served) -> None:
    async def test() -> None:
        champion = served.fetched(3)
        await served.decided(champion=champion)
        before = served.store.current().champion
        await served.decided(champion=champion, answered=1)
        await served.store.refresh()
        assert served.store.current().champion is before
        assert served.store.state.answered == 1
        assert served.swaps == [("champion", 3)]

    run(test)


def test_who_holds_what_served_keeps_it_through_a_swap(served: Served) -> None:
    async def test() -> None:
        await served.decided(champion=served.fetched(3))
        held = served.store.current()
        await served.decided(champion=served.fetched(4))
        await asyncio.sleep(0.01)
        assert held.champion.served.version == 3
        assert not held.champion.reader.closed
        assert served.versions() == (4, None)
        await served.store.close()
        assert held.champion.reader.closed
        assert served.store.current().champion.reader.closed

    run(test)


def test_a_scorer_that_nobody_can_hold_any_more_gives_its_connections_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.model_store._GRACE_SECONDS", 0.0)

    async def test() -> None:
        await served.decided(champion=served.fetched(3))
        old = served.store.current().champion
        await served.decided(champion=served.fetched(4))
        for _ in range(5):
            await asyncio.sleep(0)
        assert old.reader.closed
        assert not served.store.current().champion.reader.closed

    run(test)


def test_a_challenger_is_loaded_beside_the_champion_and_leaves_again(served: Served) -> None:
    async def test() -> None:
        champion, challenger = served.fetched(3), served.fetched(4)
        await served.decided(champion=champion, challenger=challenger)
        assert served.versions() == (3, 4)
        assert sorted(served.swaps) == [("challenger", 4), ("champion", 3)]
        await served.decided(champion=champion)
        assert served.versions() == (3, None)
        assert served.swaps[-1] == ("challenger", None)

    run(test)


def test_a_challenger_that_becomes_champion_is_told_as_such(served: Served) -> None:
    async def test() -> None:
        first, second = served.fetched(3), served.fetched(4)
        await served.decided(champion=first, challenger=second)
        challenger = served.store.current().challenger
        await served.decided(champion=second)
        assert served.store.current().champion is challenger
        assert served.swaps[-2:] == [("champion", 4), ("challenger", None)]

    run(test)


def test_who_refreshes_while_another_does_finds_the_new_model_afterwards(served: Served) -> None:
    async def test() -> None:
        served.cache.write_state(CacheState(champion=served.fetched(3)))
        watching = asyncio.create_task(served.store.refresh())
        await asyncio.sleep(0)
        await served.store.refresh()
        assert served.versions() == (3, None)
        await watching

    run(test)


def test_who_asks_before_the_first_look_is_served(served: Served) -> None:
    """Another worker may have said that the server is ready."""

    async def test() -> None:
        served.cache.write_state(CacheState(champion=served.fetched(3)))
        assert isinstance(served.refusal(), NoModelError)
        both = await asyncio.gather(served.store.found(), served.store.found())
        assert [serving.champion.served.version for serving in both] == [3, 3]
        assert served.swaps == [("champion", 3)]
        # Later ones are taken over by the watch alone, between requests.
        served.cache.write_state(CacheState(champion=served.fetched(4)))
        assert await served.store.found() is both[0]

    run(test)


def test_watching_follows_the_cache_until_it_is_cancelled(served: Served) -> None:
    async def test() -> None:
        watching = asyncio.create_task(served.store.watch(0.001))
        for version in (3, 4):
            served.cache.write_state(CacheState(champion=served.fetched(version)))
            while ("champion", version) not in served.swaps:
                await asyncio.sleep(0.001)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        assert served.versions() == (4, None)

    run(test)


def test_watching_goes_on_after_a_file_that_nobody_foresaw(served: Served) -> None:
    async def test() -> None:
        odd = served.fetched(3)
        example = served.cache.folder / odd.folder / EXAMPLE
        example.unlink()
        example.mkdir()
        served.cache.write_state(CacheState(champion=odd))
        watching = asyncio.create_task(served.store.watch(0.001))
        with capture_logs() as logs:
            while not logs:
                await asyncio.sleep(0.001)
        assert logs[0]["event"] == "following the models failed"
        served.cache.write_state(CacheState(champion=served.fetched(4)))
        while not served.swaps and not watching.done():
            await asyncio.sleep(0.001)
        assert served.versions() == (4, None)
        watching.cancel()

    run(test)
