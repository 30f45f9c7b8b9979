"""The models that serve: taken over from the cache, kept when the next one cannot be loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from typing import Any

import msgspec
import numpy as np
import pytest
from catboost import CatBoostClassifier, Pool
from structlog.testing import capture_logs

from lockstep.contract.model_artefact import ModelArtefact, ModelArtefactError
from lockstep.contract.registered_model import NoModelError, RegisteredModel
from lockstep.contract.targets import ClassTarget
from lockstep.errors import LockstepError
from lockstep.stores.read_plan import ReadPlan
from serving.model_cache import EXAMPLE, METADATA, MODEL, Cached, CacheState, ModelCache, Refusal
from serving.model_store import ModelStore
from serving.plan import PlannedFeature, ServicePlan
from serving.scorer import Scorer

ORDER = ("a", "b")
SERVICES = {
    "cards_v1": ServicePlan(
        name="cards_v1",
        fingerprint="5f2a",
        features=tuple(PlannedFeature(name, "cards", "Float64", "") for name in ORDER),
        stored=(),
        reads=ReadPlan(()),
        functions=(),
        policy={},
        log_columns=(),
    )
}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = np.random.default_rng(0).normal(size=(200, 2))
    fitted = CatBoostClassifier(
        iterations=5, logging_level="Silent", allow_writing_files=False, random_seed=0
    ).fit(Pool(rows, label=rows[:, 0] > 0, feature_names=list(ORDER)))
    path = tmp_path_factory.mktemp("model") / MODEL
    fitted.save_model(str(path))
    return path


class Reader:
    """Stands where the reader of Redis does, and knows whether it was closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True


@dataclass
class Served:
    """A store over a real cache, and what it told."""

    cache: ModelCache
    model_file: Path
    swaps: list[tuple[str, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = ModelStore(self.cache, SERVICES, self._scorer, on_swap=self._swapped)

    def fetched(self, version: int, **changes: Any) -> Cached:
        """A version in the cache, as the fetcher leaves it; `changes` are to its metadata."""
        artefact = ModelArtefact(
            "fraud", "cards_v1", ORDER, ClassTarget(0.5), datetime(2018, 8, 1, tzinfo=UTC)
        )
        cached = Cached(version, f"{version}-run")
        folder = self.cache.folder / cached.folder
        folder.mkdir(parents=True)
        (folder / MODEL).write_bytes(self.model_file.read_bytes())
        metadata = replace(artefact, fingerprint="5f2a").to_metadata() | changes
        (folder / METADATA).write_bytes(msgspec.json.encode(metadata))
        (folder / EXAMPLE).write_bytes(b"[[1.0, null]]")
        return cached

    def versions(self) -> tuple[int, int | None]:
        """Those of the champion and its challenger."""
        serving = self.store.current()
        challenger = serving.challenger
        return serving.champion.served.version, challenger and challenger.served.version

    def refusal(self) -> LockstepError:
        with pytest.raises(LockstepError) as raised:
            self.store.current()
        return raised.value

    async def decided(self, **state: Any) -> None:
        """What happens when the fetcher has written this state."""
        self.cache.write_state(CacheState(**state))
        await self.store.refresh()

    def _scorer(self, served: RegisteredModel, plan: ServicePlan) -> Scorer:
        reader: Any = Reader()
        return Scorer(served, plan, reader)

    def _swapped(self, alias: str, scorer: Scorer | None) -> None:
        self.swaps.append((alias, scorer.served.version if scorer else None))


@pytest.fixture
def served(tmp_path: Path, model_file: Path) -> Served:
    return Served(ModelCache.under(tmp_path, "fraud"), model_file)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """The test in a loop of its own."""
    asyncio.run(test())


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


def _truncate(served: Served, cached: Cached) -> None:
    path = served.cache.folder / cached.folder / MODEL
    path.write_bytes(path.read_bytes()[:-100])


def _remove_metadata(served: Served, cached: Cached) -> None:
    (served.cache.folder / cached.folder / METADATA).unlink()


def _damage_metadata(served: Served, cached: Cached) -> None:
    (served.cache.folder / cached.folder / METADATA).write_bytes(b'{"use_case": "\xff"}')


@pytest.mark.parametrize("damage", [_truncate, _remove_metadata, _damage_metadata])
def test_a_damaged_model_leaves_the_one_before_in_place(
    served: Served, damage: Callable[[Served, Cached], None]
) -> None:
    async def test() -> None:
        await served.decided(champion=served.fetched(3))
        broken = served.fetched(4)
        damage(served, broken)
        with capture_logs() as logs:
            await served.decided(champion=broken)
        assert served.versions() == (3, None)
        assert [entry["event"] for entry in logs] == ["model not loaded"]
        assert served.swaps == [("champion", 3)]

    run(test)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fingerprint": "77aa"}, "trained on definitions 77aa"),
        ({"feature_service": "cards_v0"}, "'cards_v0', which this server does not have"),
        ({"use_case": "churn"}, "one of use case 'churn'"),
        ({"feature_order": ["a", "c"]}, r"differ in \['b', 'c'\]"),
    ],
)
def test_a_model_that_does_not_fit_leaves_the_one_before_in_place(
    served: Served, changes: dict[str, Any], why: str
) -> None:
    async def test() -> None:
        other = served.fetched(4, **changes)
        await served.decided(champion=other)
        with pytest.raises(LockstepError, match=why):
            served.store.current()
        await served.decided(champion=served.fetched(3))
        await served.decided(champion=other)
        assert served.versions() == (3, None)

    run(test)


def test_a_model_that_could_not_be_loaded_is_tried_again_with_the_next_state(
    served: Served,
) -> None:
    async def test() -> None:
        champion = served.fetched(3)
        whole = (served.cache.folder / champion.folder / MODEL).read_bytes()
        _truncate(served, champion)
        await served.decided(champion=champion)
        assert isinstance(served.refusal(), ModelArtefactError)
        (served.cache.folder / champion.folder / MODEL).write_bytes(whole)
        await served.decided(champion=champion, answered=1)
        assert served.versions() == (3, None)

    run(test)


def test_without_a_champion_the_one_before_serves_on(served: Served) -> None:
    async def test() -> None:
        await served.decided(champion=served.fetched(3))
        await served.decided(problem="MLflow at sqlite:///x failed")
        assert served.versions() == (3, None)

    run(test)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (CacheState(problem="MLflow is down"), "there is no model 'fraud': MLflow is down"),
        (
            CacheState(refused=(Refusal("champion", 4, "it is torn"),), problem="no"),
            "the model 'fraud' version 4 is refused: it is torn",
        ),
        (
            CacheState(refused=(Refusal("champion", None, "no metadata"),)),
            "the model 'fraud' is refused: no metadata",
        ),
        (CacheState(refused=(Refusal("challenger", 4, "it is torn"),)), "is being loaded"),
    ],
)
def test_a_request_is_told_why_there_is_nothing(
    served: Served, state: CacheState, why: str
) -> None:
    async def test() -> None:
        served.cache.write_state(state)
        await served.store.refresh()
        assert why in str(served.refusal())

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


def test_a_challenger_that_cannot_be_loaded_disturbs_no_champion(served: Served) -> None:
    async def test() -> None:
        champion, challenger = served.fetched(3), served.fetched(4)
        _truncate(served, challenger)
        await served.decided(champion=champion, challenger=challenger)
        assert served.versions() == (3, None)

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


def test_a_reason_that_is_said_again_and_again_does_not_grow(served: Served) -> None:
    lengths = {len(list(walk_tb(served.refusal().__traceback__))) for _ in range(10)}
    assert len(lengths) == 1


def test_a_state_is_read_back_as_it_was_written_and_a_damaged_one_is_none(
    served: Served,
) -> None:
    cache = served.cache
    assert (cache.state(), cache.stamp(), cache.asked()) == (CacheState(), None, 0)
    state = CacheState(
        champion=Cached(3, "3-run"),
        refused=(Refusal("challenger", None, "why"),),
        problem="down",
        checked=datetime(2018, 8, 1, tzinfo=UTC),
        answered=2,
    )
    cache.write_state(state)
    assert cache.state() == state
    stamp = cache.stamp()
    cache.write_state(state)
    assert cache.stamp() != stamp
    for content in (b"", b"{", b'{"answered": "x"}', b'{"problem": "\xff"}'):
        (cache.folder / "state.json").write_bytes(content)
        assert cache.state() == CacheState()


def test_each_reload_that_is_asked_for_has_a_number_of_its_own(served: Served) -> None:
    assert [served.cache.ask_for_reload() for _ in range(3)] == [1, 2, 3]
    assert served.cache.asked() == 3


def test_versions_that_nobody_serves_are_forgotten_and_nothing_else(served: Served) -> None:
    kept, gone = served.fetched(3), served.fetched(4)
    served.cache.write_state(CacheState(champion=kept))
    served.cache.forget_all_but({kept.folder})
    left = sorted(path.name for path in served.cache.folder.iterdir())
    assert left == [kept.folder, "state.json"]
    assert served.cache.load(kept)[0].version == 3
    with pytest.raises(ModelArtefactError):
        served.cache.load(gone)


def test_a_model_is_tried_with_its_own_example_or_with_nulls(served: Served) -> None:
    cached = served.fetched(3)
    np.testing.assert_array_equal(served.cache.load(cached)[1], [[1.0, np.nan]])
    (served.cache.folder / cached.folder / EXAMPLE).write_bytes(b"[]")
    np.testing.assert_array_equal(served.cache.load(cached)[1], [[np.nan, np.nan]])
