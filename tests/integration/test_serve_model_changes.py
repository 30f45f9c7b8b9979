"""Models come, go and break while the API serves: every answer is wholly of one good version."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from feast_project import apply_definitions, make_project
from fraud_project import Project, materialize, train_small
from free_port import free_port
from serving_client import END, GOOD, PATIENCE_SECONDS, PREDICT, api, problem, wait_until_ready
from starlette.testclient import TestClient

from lockstep.contract.clock import FixedClock
from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.model_registry import model_registry
from lockstep.contract.predictor import Predictor
from lockstep.contract.registered_model import ModelFiles, load_model
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.feature_vectors import FeatureVectors
from lockstep.stores.online_reader import OnlineReader
from serving import model_fetcher
from serving.app import create_app
from serving.model_cache import ModelCache
from serving.model_fetcher import ModelFetcher
from serving.plan_compiler import serving_plan
from serving.settings import ServingSettings
from training.fit import FitParameters
from training.run import TrainingOptions, train
from training.use_case import load_use_case

BATCH, RELOAD, MODELS = f"{PREDICT}/batch", "/v1/models/reload", "/v1/models"
# A registry that is looked at once, and then only when it is asked for.
SKIPPED = "lockstep_shadow_skipped_total"
ON_REQUEST = {"model_poll_seconds": 3600}
Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def trained_twice(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Version 1 of twenty trees and version 2 of three."""
    settings = make_project(tmp_path_factory.mktemp("twice"))
    shutil.copytree(project.settings.lake, settings.lake)
    store = apply_definitions(settings)
    train_small(settings)
    few = TrainingOptions(parameters=FitParameters(iterations=3))
    train(settings, store, load_use_case("fraud"), few, lambda what, share: None)
    return settings


@pytest.fixture(scope="module")
def redis_address(trained_twice: Settings) -> Iterator[str]:
    """A Redis in which the project is materialised up to END."""
    with embedded_redis() as url:
        materialize(trained_twice, url, END)
        yield url


@pytest.fixture(scope="module")
def predictors(trained_twice: Settings) -> dict[int, Predictor]:
    """The models as the registry has them, by version."""
    uri = trained_twice.tracking_uri
    return {n: load_model(uri, "fraud", version=n).predictor for n in (1, 2)}


@pytest.fixture
def settings(trained_twice: Settings) -> Iterator[Settings]:
    """Version 1 is champion, nothing is in the cache; files of version 2 are mended afterwards."""
    shutil.rmtree(trained_twice.home_dir / "models", ignore_errors=True)
    alias(trained_twice, CHAMPION, 1)
    alias(trained_twice, CHALLENGER, None)
    files = artefacts(trained_twice, 2)
    kept = {path: path.read_bytes() for path in files.iterdir() if path.is_file()}
    yield trained_twice
    for path, content in kept.items():
        path.write_bytes(content)


def alias(settings: Settings, name: str, version: int | None) -> None:
    """Gives the alias to a version, or takes it away."""
    with model_registry(settings.tracking_uri) as client:
        if version is None:
            client.delete_registered_model_alias("fraud", name)
        else:
            client.set_registered_model_alias("fraud", name, str(version))


def artefacts(settings: Settings, version: int) -> Path:
    """The folder in which MLflow keeps the files of a version."""
    with model_registry(settings.tracking_uri) as client:
        run_id = client.get_model_version("fraud", str(version)).run_id
    descriptions = settings.home_dir.glob("mlartifacts/models/*/artifacts/MLmodel")
    (found,) = (path.parent for path in descriptions if run_id in path.read_text())
    return found


def served_by(client: TestClient) -> int:
    """The version that answers now."""
    answer = client.post(PREDICT, json=GOOD)
    assert answer.status_code == 200, answer.text
    version: int = answer.json()["model"]["version"]
    return version


def reloaded(client: TestClient) -> dict[str, Any]:
    """What /v1/models/reload says of the only use case; GET says the same."""
    answer = client.post(RELOAD)
    assert answer.status_code == 200, answer.text
    (models,) = answer.json()
    assert client.get(MODELS).json() == [models]
    document: dict[str, Any] = models
    return document


def loaded(models: dict[str, Any]) -> dict[str, int]:
    """The loaded versions by alias."""
    return {model["alias"]: model["version"] for model in models["loaded"]}


def check_wholly_of_one(answer: dict[str, Any], predictors: dict[int, Predictor]) -> int:
    """The version of an answer, of which all of it must be."""
    version: int = answer["model"]["version"]
    predictor = predictors[version]
    order = predictor.artefact.feature_order
    assert tuple(answer["features"]) == order
    columns = {name: [answer["features"][name]["value"]] for name in order}
    assert answer["score"] == predictor.scores(columns)[0]
    assert answer["threshold"] == predictor.artefact.threshold
    is_blocked = predictor.is_positive(answer["score"])
    assert answer["decision"] == ("block" if is_blocked else "allow")
    return version


def requests(settings: Settings, rows: int) -> list[dict[str, Any]]:
    """Requests for the first transactions after END."""
    transactions = Lake.at(settings.lake).table("fraud/transactions").scan()
    later = transactions.filter(pl.col("event_timestamp") > END).sort("event_timestamp")
    asked = later.head(rows).select("customer_id", "terminal_id", "amount_cents").collect()
    return [row | {"event_timestamp": END.isoformat()} for row in asked.to_dicts()]


def test_a_new_champion_takes_over_while_requests_are_in_flight(
    settings: Settings, redis_address: str, predictors: dict[int, Predictor]
) -> None:
    bodies = requests(settings, 20)

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

    with api(settings, redis_address, END, model_poll_seconds=0.05) as client:
        wait_until_ready(client)
        with ThreadPoolExecutor(6) as pool:
            asking = [pool.submit(ask, client, worker) for worker in range(6)]
            alias(settings, CHAMPION, 2)
            seen = [answers for worker in asking for answers in worker.result()]
    assert {tuple(set(versions)) for versions in seen} == {(1,), (2,)}


def test_a_request_that_began_with_one_model_ends_with_it(
    settings: Settings,
    redis_address: str,
    predictors: dict[int, Predictor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = requests(settings, 5)
    vectors, reading, go_on = OnlineReader.vectors, threading.Semaphore(0), threading.Event()

    async def held(self: OnlineReader, rows: Any, t_us: Any) -> FeatureVectors:
        """Reads as ever, but not before it may."""
        reading.release()
        await asyncio.to_thread(go_on.wait, PATIENCE_SECONDS)
        return await vectors(self, rows, t_us)

    monkeypatch.setattr(OnlineReader, "vectors", held)
    with api(settings, redis_address, END, **ON_REQUEST) as client, ThreadPoolExecutor(2) as pool:
        wait_until_ready(client)
        one = pool.submit(client.post, PREDICT, json=bodies[0])
        many = pool.submit(client.post, BATCH, json={"rows": bodies})
        for _ in range(2):
            assert reading.acquire(timeout=PATIENCE_SECONDS)
        alias(settings, CHAMPION, 2)
        assert loaded(reloaded(client)) == {"champion": 2}
        go_on.set()
        rows = [row["prediction"] for row in many.result().json()["rows"]]
        answers = [one.result().json(), *rows]
        assert [check_wholly_of_one(answer, predictors) for answer in answers] == [1] * 6
        assert check_wholly_of_one(client.post(PREDICT, json=bodies[0]).json(), predictors) == 2


def test_a_reload_takes_a_champion_over_at_once(settings: Settings, redis_address: str) -> None:
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        for version in (2, 1, 2):
            before = served_by(client)
            alias(settings, CHAMPION, version)
            assert served_by(client) == before
            models = reloaded(client)
            assert loaded(models) == {"champion": version}
            assert (models["refused"], models["registry"]) == ([], None)
            assert served_by(client) == version


def _edited(old: str, new: str) -> Edit:
    def edit(folder: Path) -> None:
        description = folder / "MLmodel"
        text = description.read_text()
        assert old in text
        description.write_text(text.replace(old, new))

    return edit


def _truncate(folder: Path) -> None:
    model = folder / "model.cb"
    model.write_bytes(model.read_bytes()[:-100])


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
    "a truncated file": (_truncate, "'model.cbm' cannot be loaded"),
    "other features": (
        _edited("- tx_count_1d", "- tx_count_1h"),
        "differ in ['tx_count_1d', 'tx_count_1h']",
    ),
    "another service": (
        _edited("feature_service: fraud_v1", "feature_service: fraud_v0"),
        "feature service 'fraud_v0', which this server does not have",
    ),
    "another use case": (_edited("use_case: fraud", "use_case: os"), "one of use case 'os'"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_champion_that_may_not_serve_is_named_and_the_one_before_serves_on(
    settings: Settings, redis_address: str, what: str
) -> None:
    edit, why = BROKEN[what]
    files = artefacts(settings, 2)
    kept = {path: path.read_bytes() for path in files.iterdir() if path.is_file()}
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        edit(files)
        alias(settings, CHAMPION, 2)
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
    settings: Settings, redis_address: str
) -> None:
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
    _truncate(artefacts(settings, 2))
    alias(settings, CHAMPION, 2)
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        assert loaded(reloaded(client)) == {"champion": 1}
        assert served_by(client) == 1


@contextmanager
def without_registry(settings: Settings) -> Iterator[None]:
    """MLflow's database is gone while the block runs."""
    database = settings.home_dir / "mlflow.db"
    hidden = database.rename(database.with_suffix(".hidden"))
    try:
        yield
        assert not database.exists()
    finally:
        hidden.replace(database)


def test_the_last_good_model_serves_while_mlflow_is_gone_and_after_a_restart(
    settings: Settings, redis_address: str
) -> None:
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        with without_registry(settings):
            models = reloaded(client)
            assert models["registry"]
            assert loaded(models) == {"champion": 1}
            assert served_by(client) == 1
    with without_registry(settings), api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        assert served_by(client) == 1
        assert reloaded(client)["registry"]
    alias(settings, CHAMPION, 2)
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        models = reloaded(client)
        assert (loaded(models), models["registry"]) == ({"champion": 2}, None)


def test_the_last_good_model_serves_after_a_restart_beside_a_server_that_is_down(
    settings: Settings, redis_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    alias(settings, CHALLENGER, 2)
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
    uri = f"http://lock:secret@127.0.0.1:{free_port()}"
    down = settings.model_copy(update={"mlflow_uri": uri})
    with api(down, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        models = reloaded(client)
        assert "***@127.0.0.1" in models["registry"]
        assert loaded(models) == {"champion": 1, "challenger": 2}
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


def fetcher_of(settings: Settings, **limits: Any) -> tuple[ServingSettings, ModelFetcher]:
    """One that looks when it is told to."""
    chosen = ServingSettings(project=settings, auth="off", log_share=0, **limits)
    return chosen, ModelFetcher(chosen, serving_plan(chosen), FixedClock(END))


@pytest.mark.parametrize("what", ["a truncated file", "other definitions"])
def test_a_refused_version_is_downloaded_ever_less_often_until_somebody_asks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    chosen, fetcher = fetcher_of(settings)
    cache = ModelCache.under(chosen.models_dir, "fraud")
    assert fetcher.refresh("fraud").refused == ()
    files = artefacts(settings, 2)
    kept = {path: path.read_bytes() for path in files.iterdir() if path.is_file()}
    edit, why = BROKEN[what]
    edit(files)
    for name in (CHAMPION, CHALLENGER):
        alias(settings, name, 2)
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


def test_a_good_version_is_taken_at_once_after_a_refused_one(settings: Settings) -> None:
    _, fetcher = fetcher_of(settings)
    _truncate(artefacts(settings, 2))
    alias(settings, CHAMPION, 2)
    for _ in range(3):
        assert fetcher.refresh("fraud").champion is None
    alias(settings, CHAMPION, 1)
    state = fetcher.refresh("fraud")
    assert (state.champion and state.champion.version, state.refused) == (1, ())


def test_a_reload_that_nobody_sees_to_is_late_and_the_model_serves_on(
    settings: Settings, redis_address: str
) -> None:
    project = settings.model_copy(update={"redis_url": redis_address})
    chosen, fetcher = fetcher_of(project, reload_seconds=0.1)
    fetcher.refresh("fraud")
    application = create_app(chosen, serving_plan(chosen), FixedClock(END))
    with TestClient(application) as client:
        wait_until_ready(client)
        late = problem(client.post(RELOAD), 504)
        assert "the models were not looked at within 0.1 s" in late["detail"]
        assert served_by(client) == 1


def test_a_model_that_is_torn_in_the_cache_is_fetched_anew(
    settings: Settings, redis_address: str
) -> None:
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
    (model,) = (settings.home_dir / "models" / "fraud").glob("1-*/model.cbm")
    model.write_bytes(b"")
    with api(settings, redis_address, END, model_poll_seconds=0.05) as client:
        wait_until_ready(client)
        assert served_by(client) == 1


def test_without_the_alias_the_old_champion_serves_on(
    settings: Settings, redis_address: str
) -> None:
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        alias(settings, CHAMPION, None)
        models = reloaded(client)
        assert "no model 'fraud' with alias 'champion'" in models["registry"]
        assert loaded(models) == {"champion": 1}
        assert served_by(client) == 1


def test_a_challenger_scores_in_the_shadow_of_the_champion(
    settings: Settings, redis_address: str, predictors: dict[int, Predictor], tmp_path: Path
) -> None:
    elsewhere = settings.model_copy(update={"lake_uri": str(tmp_path / "lake")})
    bodies = requests(settings, 15)
    logged = {"log_share": 1.0, "log_flush_seconds": 0.05, **ON_REQUEST}
    with api(elsewhere, redis_address, END, **logged) as client:
        wait_until_ready(client)
        alone = [client.post(PREDICT, json=body).json() for body in bodies]
        alias(settings, CHALLENGER, 2)
        assert loaded(reloaded(client)) == {"champion": 1, "challenger": 2}
        shadowed = [client.post(PREDICT, json=body).json() for body in bodies]
        _wait_for_shadows(client, len(bodies))
        skipped = _counted(client, SKIPPED)
        alias(settings, CHALLENGER, None)
        assert loaded(reloaded(client)) == {"champion": 1}
    for before, after in zip(alone, shadowed, strict=True):
        assert before.pop("request_id") != after.pop("request_id")
        assert before == after
        assert check_wholly_of_one(after, predictors) == 1
    rows = _log(elsewhere, "predictions")
    challenger = rows.filter(alias="challenger")
    assert rows.filter(alias="champion").height == 2 * len(bodies)
    assert challenger.height == len(bodies) - skipped
    assert challenger.height > 0
    assert set(challenger["model_version"]) == {2}
    assert challenger["request_id"].is_unique().all()
    both = challenger.join(rows.filter(alias="champion"), on="request_id", suffix="_champion")
    assert both.height == challenger.height
    order = predictors[2].artefact.feature_order
    by_id = {row["__request_id"]: row for row in _features(elsewhere).to_dicts()}
    for row in both.to_dicts():
        columns = {name: [by_id[row["request_id"]][name]] for name in order}
        assert row["score"] == predictors[2].scores(columns)[0]
        assert row["score_champion"] == predictors[1].scores(columns)[0]


def test_a_challenger_that_may_not_serve_is_named_and_disturbs_nothing(
    settings: Settings, redis_address: str
) -> None:
    _truncate(artefacts(settings, 2))
    alias(settings, CHALLENGER, 2)
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        models = reloaded(client)
        (refused,) = models["refused"]
        assert (refused["alias"], refused["version"]) == ("challenger", 2)
        assert loaded(models) == {"champion": 1}
        assert served_by(client) == 1


def test_a_challenger_that_becomes_champion_is_counted_as_such(
    settings: Settings, redis_address: str
) -> None:
    alias(settings, CHALLENGER, 2)
    with api(settings, redis_address, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        reloaded(client)
        alias(settings, CHAMPION, 2)
        assert loaded(reloaded(client)) == {"champion": 2}
        labels = 'lockstep_model_info{alias="champion",'
        lines = [n for n in client.get("/metrics").text.splitlines() if n.startswith(labels)]
        shown = {line.partition('version="')[2][0]: float(line.split()[-1]) for line in lines}
        assert shown == {"1": 0.0, "2": 1.0}


def _shadows(client: TestClient) -> int:
    """Rows that the challenger has scored or skipped."""
    return _counted(client, 'lockstep_score_count{alias="challenger"') + _counted(client, SKIPPED)


def _wait_for_shadows(client: TestClient, rows: int) -> None:
    """Returns once the challenger has scored or skipped as many rows."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (counted := _shadows(client)) < rows:
        assert time.monotonic() < deadline, counted
        time.sleep(0.05)
    assert counted == rows


def _counted(client: TestClient, series: str) -> int:
    lines = client.get("/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(series))


def _log(settings: Settings, table: str) -> pl.DataFrame:
    lake = Lake.at(settings.lake)
    keys = [key for key in lake.list(f"fraud/{table}/") if key.endswith(".parquet")]
    return lake.scan_parquet(keys).collect()


def _features(settings: Settings) -> pl.DataFrame:
    """The logged features under their short names."""
    rows = _log(settings, "served_features/fraud_v1")
    own = ("__timestamp", "__status")
    short = {n: n.rpartition("__")[2] for n in rows.columns if n[:2] != "__" and "__" in n}
    return rows.select(
        "__request_id",
        *(pl.col(n).alias(name) for n, name in short.items() if not n.endswith(own)),
    )
