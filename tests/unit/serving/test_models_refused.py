"""Models that cannot serve: the one before stays, and a request is told why there is none."""

from __future__ import annotations

from collections.abc import Callable
from traceback import walk_tb
from typing import Any

import pytest
from stored_models import Served, run
from structlog.testing import capture_logs

from lockstep.contract.model_artefact import ModelArtefactError
from lockstep.errors import LockstepError
from serving.model_cache import METADATA, MODEL, Cached, CacheState, Refusal


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


def test_a_challenger_that_cannot_be_loaded_disturbs_no_champion(served: Served) -> None:
    async def test() -> None:
        champion, challenger = served.fetched(3), served.fetched(4)
        _truncate(served, challenger)
        await served.decided(champion=champion, challenger=challenger)
        assert served.versions() == (3, None)

    run(test)


def test_a_reason_that_is_said_again_and_again_does_not_grow(served: Served) -> None:
    lengths = {len(list(walk_tb(served.refusal().__traceback__))) for _ in range(10)}
    assert len(lengths) == 1
