"""The model store: tries until there is a model, and says why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from lockstep.contract.registered_model import NoModelError
from serving.model_store import ModelStore

_ABSENT = NoModelError.not_registered("fraud", "alias 'champion'")


def _store(outcomes: Iterator[Any]) -> ModelStore:
    """A store whose loads end, one after another, in `outcomes`."""
    return ModelStore("fraud", _loader(outcomes), retry_seconds=0.001)


def _loader(outcomes: Iterator[Any]) -> Callable[[], Any]:
    def load() -> Any:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return load


def _scorer() -> Any:
    return SimpleNamespace(served=SimpleNamespace(version=3))


def test_before_the_first_load_it_is_loading() -> None:
    with pytest.raises(NoModelError, match="is being loaded"):
        _store(iter([])).current()


def test_it_tries_until_there_is_a_model() -> None:
    scorer = _scorer()
    store = _store(iter([_ABSENT, _ABSENT, OSError("disk"), scorer]))
    asyncio.run(store.keep_trying())
    assert store.current() is scorer


def test_each_reason_is_logged_once_and_the_success_after_it() -> None:
    store = _store(iter([_ABSENT, _ABSENT, _ABSENT, OSError("disk"), _scorer()]))
    with capture_logs() as logs:
        asyncio.run(store.keep_trying())
    assert [entry["event"] for entry in logs] == ["no model", "no model", "model loaded"]
    assert logs[0]["why"] == str(_ABSENT)
    assert logs[1]["why"].startswith("loading the model 'fraud' failed (OSError)")
    assert isinstance(logs[1]["exc_info"], OSError)
    assert logs[2]["version"] == 3


def test_the_last_reason_is_what_a_request_is_told() -> None:
    async def fail_once() -> ModelStore:
        def load() -> Any:
            tried.set()
            raise _ABSENT

        tried = asyncio.Event()
        store = ModelStore("fraud", load, retry_seconds=60)
        trying = asyncio.create_task(store.keep_trying())
        while not tried.is_set():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        trying.cancel()
        return store

    with pytest.raises(NoModelError, match="run `lockstep train fraud`"):
        asyncio.run(fail_once()).current()
