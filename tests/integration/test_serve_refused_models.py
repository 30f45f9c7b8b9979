"""Models that may not serve: each is named with its reason, and the one before goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from serving_client import END, PATIENCE_SECONDS, api, problem, wait_until_ready
from two_models import (
    ON_REQUEST,
    alias,
    artefacts,
    fetcher_of,
    loaded,
    reloaded,
    served_by,
    truncate,
)

from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.registered_model import ModelFiles
from lockstep.settings import Settings
from serving import model_fetcher
from serving.model_cache import CacheState, ModelCache, Refusal
from serving.use_cases import USE_CASES

Edit = Callable[[Path], None]


def _edited(old: str, new: str) -> Edit:
    def edit(folder: Path) -> None:
        description = folder / "MLmodel"
        text = description.read_text()
        assert old in text
        description.write_text(text.replace(old, new))

    return edit


def _shorten_example(files: Path) -> None:
    path = files / "input_example.json"
    example = json.loads(path.read_text())
    path.write_text(json.dumps(example | {"data": [row[1:] for row in example["data"]]}))


def _tear_example(folder: Path) -> None:
    for example in folder.glob("*input_example.json"):
        example.write_bytes(example.read_bytes()[:-10])


BROKEN = {
    "a shorter example": (_shorten_example, "rows of other than its 25 features"),
    "a torn example": (_tear_example, "input_example.json' cannot be loaded"),
    "other definitions": (
        _edited("  fingerprint: ", "  fingerprint: 5f2a"),
        "was trained on definitions 5f2a",
    ),
    "a truncated file": (truncate, "'model.cbm' cannot be loaded"),
    "other features": (
        _edited("- tx_count_1d", "- tx_count_1h"),
        "differ in ['tx_count_1d', 'tx_count_1h']",
    ),
    "another service": (
        _edited("feature_service: fraud_v1", "feature_service: fraud_v0"),
        "feature service 'fraud_v0', which this server does not have",
    ),
    "three classes": (
        _edited("  classes: 2", "  classes: 3"),
        "predicts 3 classes, which does not fit the decisions ['allow', 'block']",
    ),
    "a threshold that is none": (_edited("  threshold: 0.", "  threshold: 1."), "no probability"),
    "another use case": (_edited("use_case: fraud", "use_case: os"), "one of use case 'os'"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_champion_that_may_not_serve_is_named_and_the_one_before_serves_on(
    two_models: Settings, models_redis: str, what: str
) -> None:
    edit, why = BROKEN[what]
    files = artefacts(two_models, 2)
    kept = {path: path.read_bytes() for path in files.iterdir() if path.is_file()}
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        edit(files)
        alias(two_models, CHAMPION, 2)
        for _ in range(2):
            models = reloaded(client)
            (refused,) = models["refused"]
            assert (refused["alias"], refused["version"]) == ("champion", 2)
            assert why in refused["why"]
            assert loaded(models) == {"champion": 1}
            assert served_by(client) == 1
        assert client.get("/ready").status_code == 200
        for path, content in kept.items():
            path.write_bytes(content)
        models = reloaded(client)
        assert (loaded(models), models["refused"]) == ({"champion": 2}, [])
        assert served_by(client) == 2


def test_a_champion_that_may_not_serve_does_not_serve_after_a_restart(
    two_models: Settings, models_redis: str
) -> None:
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
    truncate(artefacts(two_models, 2))
    alias(two_models, CHAMPION, 2)
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        assert loaded(reloaded(client)) == {"champion": 1}
        assert served_by(client) == 1


def test_a_use_case_without_a_model_is_missed_only_where_one_is_refused(
    two_models: Settings, models_redis: str
) -> None:
    other = next(name for name in USE_CASES if name != "fraud")
    rarely = {"model_retry_seconds": 3600, **ON_REQUEST}
    with api(two_models, models_redis, END, **rarely) as client:
        wait_until_ready(client)
        torn = CacheState(checked=END, refused=(Refusal("champion", 3, "it is torn"),))
        ModelCache.under(two_models.home_dir / "models", other).write_state(torn)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while client.get("/ready").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        detail = problem(client.get("/ready"), 503)["detail"]
        assert f"{other}: the model {other!r} version 3 is refused: it is torn" in detail
        assert served_by(client) == 1


def test_a_challenger_that_may_not_serve_is_named_and_disturbs_nothing(
    two_models: Settings, models_redis: str
) -> None:
    truncate(artefacts(two_models, 2))
    alias(two_models, CHALLENGER, 2)
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        models = reloaded(client)
        (refused,) = models["refused"]
        assert (refused["alias"], refused["version"]) == ("challenger", 2)
        assert loaded(models) == {"champion": 1}
        assert served_by(client) == 1


@contextmanager
def counted_downloads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The folders into which versions were put, one after another."""
    folders: list[str] = []
    keep = model_fetcher._keep

    def counting(files: ModelFiles, folder: Path) -> None:
        folders.append(folder.name)
        keep(files, folder)

    with monkeypatch.context() as patched:
        patched.setattr(model_fetcher, "_keep", counting)
        yield folders


@pytest.mark.parametrize("what", ["a truncated file", "other definitions"])
def test_a_refused_version_is_downloaded_ever_less_often_until_somebody_asks(
    two_models: Settings, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    chosen, fetcher = fetcher_of(two_models)
    cache = ModelCache.under(chosen.models_dir, "fraud")
    assert fetcher.refresh("fraud").refused == ()
    files = artefacts(two_models, 2)
    kept = {path: path.read_bytes() for path in files.iterdir() if path.is_file()}
    edit, why = BROKEN[what]
    edit(files)
    for name in (CHAMPION, CHALLENGER):
        alias(two_models, name, 2)
    with counted_downloads(monkeypatch) as downloads:
        for _ in range(20):
            state = fetcher.refresh("fraud")
            assert [(r.alias, r.version) for r in state.refused] == [(CHAMPION, 2), (CHALLENGER, 2)]
            assert all(why in refusal.why for refusal in state.refused)
            assert state.champion is not None
            assert state.champion.version == 1
        assert len(downloads) == 5
        cache.ask_for_reload()
        assert len(fetcher.refresh("fraud").refused) == 2
        assert len(downloads) == 6
        for path, content in kept.items():
            path.write_bytes(content)
        cache.ask_for_reload()
        state = fetcher.refresh("fraud")
    assert (state.champion and state.champion.version, state.refused) == (2, ())


def test_a_good_version_is_taken_at_once_after_a_refused_one(two_models: Settings) -> None:
    _, fetcher = fetcher_of(two_models)
    truncate(artefacts(two_models, 2))
    alias(two_models, CHAMPION, 2)
    for _ in range(3):
        assert fetcher.refresh("fraud").champion is None
    alias(two_models, CHAMPION, 1)
    state = fetcher.refresh("fraud")
    assert (state.champion and state.champion.version, state.refused) == (1, ())
