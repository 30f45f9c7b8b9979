"""Models come and go while the API serves: every answer is wholly of one version."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from free_port import free_port
from serving_client import END, PATIENCE_SECONDS, PREDICT, api, problem, wait_until_ready
from starlette.testclient import TestClient
from two_models import (
    BATCH,
    ON_REQUEST,
    RELOAD,
    alias,
    check_wholly_of_one,
    fetcher_of,
    loaded,
    reloaded,
    requests,
    served_by,
)

from lockstep.contract.clock import FixedClock
from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.predictor import Predictor
from lockstep.settings import Settings
from lockstep.stores.feature_vectors import FeatureVectors
from lockstep.stores.online_reader import OnlineReader
from serving.app import create_app
from serving.plan_compiler import serving_plan
from serving.use_cases import USE_CASES


def test_a_new_champion_takes_over_while_requests_are_in_flight(
    two_models: Settings, models_redis: str, predictors: dict[int, Predictor]
) -> None:
    bodies = requests(two_models, 20)

    def ask(client: TestClient, worker: int) -> list[list[int]]:
        """The versions of answer after answer, until the new one has answered for a while."""
        seen: list[list[int]] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while sum(2 in versions for versions in seen) < 10 and time.monotonic() < deadline:
            if worker % 2:
                answer = client.post(BATCH, json={"rows": bodies})
                rows = [row["prediction"] for row in answer.json()["rows"]]
            else:
                answer = client.post(PREDICT, json=bodies[len(seen) % len(bodies)])
                rows = [answer.json()]
            assert answer.status_code == 200, answer.text
            seen.append([check_wholly_of_one(row, predictors) for row in rows])
        return seen

    with api(two_models, models_redis, END, model_poll_seconds=0.05) as client:
        wait_until_ready(client)
        with ThreadPoolExecutor(6) as pool:
            asking = [pool.submit(ask, client, worker) for worker in range(6)]
            alias(two_models, CHAMPION, 2)
            seen = [answers for worker in asking for answers in worker.result()]
    assert {tuple(set(versions)) for versions in seen} == {(1,), (2,)}


def test_a_request_that_began_with_one_model_ends_with_it(
    two_models: Settings,
    models_redis: str,
    predictors: dict[int, Predictor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = requests(two_models, 5)
    vectors, reading, go_on = OnlineReader.vectors, threading.Semaphore(0), threading.Event()

    async def held(self: OnlineReader, rows: Any, t_us: Any) -> FeatureVectors:
        """Reads as ever, but not before it may."""
        reading.release()
        await asyncio.to_thread(go_on.wait, PATIENCE_SECONDS)
        return await vectors(self, rows, t_us)

    monkeypatch.setattr(OnlineReader, "vectors", held)
    with (
        api(two_models, models_redis, END, **ON_REQUEST) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        wait_until_ready(client)
        one = pool.submit(client.post, PREDICT, json=bodies[0])
        many = pool.submit(client.post, BATCH, json={"rows": bodies})
        for _ in range(2):
            assert reading.acquire(timeout=PATIENCE_SECONDS)
        alias(two_models, CHAMPION, 2)
        assert loaded(reloaded(client)) == {"champion": 2}
        go_on.set()
        rows = [row["prediction"] for row in many.result().json()["rows"]]
        answers = [one.result().json(), *rows]
        assert [check_wholly_of_one(answer, predictors) for answer in answers] == [1] * 6
        assert check_wholly_of_one(client.post(PREDICT, json=bodies[0]).json(), predictors) == 2


def test_a_reload_takes_a_champion_over_at_once(two_models: Settings, models_redis: str) -> None:
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        for version in (2, 1, 2):
            before = served_by(client)
            alias(two_models, CHAMPION, version)
            assert served_by(client) == before
            models = reloaded(client)
            assert loaded(models) == {"champion": version}
            assert (models["refused"], models["registry"]) == ([], None)
            assert served_by(client) == version


def test_a_reload_that_nobody_sees_to_is_late_and_the_model_serves_on(
    two_models: Settings, models_redis: str
) -> None:
    project = two_models.model_copy(update={"redis_url": models_redis})
    chosen, fetcher = fetcher_of(project, reload_seconds=0.1)
    for use_case in USE_CASES:
        fetcher.refresh(use_case)
    application = create_app(chosen, serving_plan(chosen), FixedClock(END))
    with TestClient(application) as client:
        wait_until_ready(client)
        late = problem(client.post(RELOAD), 504)
        assert "the models were not looked at within 0.1 s" in late["detail"]
        assert served_by(client) == 1


@contextmanager
def without_registry(two_models: Settings) -> Iterator[None]:
    """MLflow's database is gone while the block runs."""
    database = two_models.home_dir / "mlflow.db"
    hidden = database.rename(database.with_suffix(".hidden"))
    try:
        yield
        assert not database.exists()
    finally:
        hidden.replace(database)


def test_the_last_good_model_serves_while_mlflow_is_gone_and_after_a_restart(
    two_models: Settings, models_redis: str
) -> None:
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        with without_registry(two_models):
            models = reloaded(client)
            assert models["registry"]
            assert loaded(models) == {"champion": 1}
            assert served_by(client) == 1
    with (
        without_registry(two_models),
        api(two_models, models_redis, END, **ON_REQUEST) as client,
    ):
        wait_until_ready(client)
        assert served_by(client) == 1
        assert reloaded(client)["registry"]
    alias(two_models, CHAMPION, 2)
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        models = reloaded(client)
        assert (loaded(models), models["registry"]) == ({"champion": 2}, None)


def test_the_last_good_model_serves_after_a_restart_beside_a_server_that_is_down(
    two_models: Settings, models_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    alias(two_models, CHALLENGER, 2)
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
    uri = f"http://lock:secret@127.0.0.1:{free_port()}"
    down = two_models.model_copy(update={"mlflow_uri": uri})
    with api(down, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        models = reloaded(client)
        assert "***@127.0.0.1" in models["registry"]
        assert loaded(models) == {"champion": 1, "challenger": 2}
        assert served_by(client) == 1


def test_a_model_that_is_torn_in_the_cache_is_fetched_anew(
    two_models: Settings, models_redis: str
) -> None:
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
    (model,) = (two_models.home_dir / "models" / "fraud").glob("1-*/model.cbm")
    model.write_bytes(b"")
    with api(two_models, models_redis, END, model_poll_seconds=0.05) as client:
        wait_until_ready(client)
        assert served_by(client) == 1


def test_without_the_alias_the_old_champion_serves_on(
    two_models: Settings, models_redis: str
) -> None:
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        alias(two_models, CHAMPION, None)
        models = reloaded(client)
        assert "no model 'fraud' with alias 'champion'" in models["registry"]
        assert loaded(models) == {"champion": 1}
        assert served_by(client) == 1
