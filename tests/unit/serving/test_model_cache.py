"""The cache of models on disk: its state, its numbers, and what is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from stored_models import Served

from lockstep.contract.model_artefact import ModelArtefactError
from serving.model_cache import EXAMPLE, Cached, CacheState, Refusal


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
