"""MLflow on a real PostgreSQL server, its artefacts on a real S3 server."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fraud_project import Project, materialize, train_small
from free_port import free_port
from postgres_server import PASSWORD, PostgresServer, postgres_server
from s3_servers import SECRET, S3Server, only_environment
from serving_client import END, GOOD, PREDICT, api, wait_until_ready
from sqlalchemy import Connection, event, insert

from feature_repo.store import open_feature_store
from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.model_registry import RegistryError, model_registry
from lockstep.contract.registered_model import load_model
from lockstep.settings import Settings
from training import register
from training.fit import FitParameters
from training.run import Progress, TrainingOptions, TrainingResult, train
from training.use_case import load_use_case

AT_ONCE = 2
SECRETS = (PASSWORD, quote(PASSWORD, safe=""), SECRET)


@dataclass(frozen=True)
class Servers:
    """Both servers; the environment leads to the one of S3, and has its keys."""

    postgres: PostgresServer
    s3: S3Server

    def settings(self, project: Project, name: str) -> Settings:
        """The project with a database and a bucket of that name, both new."""
        places = {
            "mlflow_uri": self.postgres.create_database(name),
            "mlflow_artifacts": f"{self.s3.create_bucket(name)}/models",
        }
        return project.settings.model_copy(update=places)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All that a bucket holds."""
        client = self.s3.client()
        found = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        keys = [entry["Key"] for entry in found]
        return {k: client.get_object(Bucket=bucket, Key=k)["Body"].read() for k in keys}


@pytest.fixture(scope="module")
def servers(moto: S3Server) -> Iterator[Servers]:
    with postgres_server() as postgres, pytest.MonkeyPatch.context() as environment:
        only_environment(environment, moto.environment | {"MLFLOW_S3_ENDPOINT_URL": moto.url})
        yield Servers(postgres, moto)


@pytest.fixture(scope="module")
def settings(servers: Servers, project: Project) -> Settings:
    return servers.settings(project, "registered")


@pytest.fixture(scope="module")
def trained(settings: Settings) -> TrainingResult:
    return train_small(settings)


def test_the_model_is_the_one_that_a_file_and_a_folder_hold(
    trained: TrainingResult, settings: Settings, project: Project
) -> None:
    """Where MLflow keeps it changes nothing: same rows, same seed, same model."""
    assert trained.registered.version == 1
    assert trained.registered.is_champion
    assert trained.metrics == project.training.metrics
    ours = load_model(settings.tracking_uri, "fraud").predictor
    other = load_model(project.settings.tracking_uri, "fraud").predictor
    assert ours.artefact == other.artefact
    row = {name: [1.0] for name in ours.artefact.feature_order}
    assert ours.scores(row).tolist() == other.scores(row).tolist()


def test_the_api_serves_it(trained: TrainingResult, settings: Settings, redis_url: str) -> None:
    materialize(settings, redis_url, END)
    with api(settings, redis_url, END) as client:
        wait_until_ready(client)
        answer = client.post(PREDICT, json=GOOD).json()
    assert answer["model"]["version"] == trained.registered.version
    predictor = load_model(settings.tracking_uri, "fraud").predictor
    columns = {name: [feature["value"]] for name, feature in answer["features"].items()}
    assert answer["score"] == predictor.scores(columns)[0]


def test_the_artefacts_on_s3_have_signature_example_and_pinned_requirements(
    trained: TrainingResult, settings: Settings, servers: Servers, tmp_path: Path
) -> None:
    from mlflow.models import Model

    objects = servers.objects("registered")
    assert all(key.startswith("models/") for key in objects)
    by_name = {Path(key).name: content for key, content in objects.items()}
    (tmp_path / "MLmodel").write_bytes(by_name["MLmodel"])
    model = Model.load(str(tmp_path))
    order = list(load_model(settings.tracking_uri, "fraud").predictor.artefact.feature_order)
    assert model.signature.inputs.input_names() == order
    assert json.loads(by_name["input_example.json"])["columns"] == order
    pinned = {f"{name}=={version(name)}" for name in ("mlflow", "catboost", "numpy")}
    assert set(by_name["requirements.txt"].decode().split()) == pinned


def test_no_secret_is_in_anything_that_was_logged(
    trained: TrainingResult, servers: Servers
) -> None:
    logged = servers.postgres.text("registered")
    assert trained.registered.run_id in logged
    objects = servers.objects("registered")
    assert len(objects) > 10
    for secret in SECRETS:
        assert secret not in logged
        for key, content in objects.items():
            assert secret.encode() not in content, key


def test_a_database_that_is_down_is_told_before_mlflow_asks_it_for_minutes(
    settings: Settings, servers: Servers
) -> None:
    nobody = servers.postgres.uri("x").replace(f":{servers.postgres.port}/", f":{free_port()}/")
    down = settings.model_copy(update={"mlflow_uri": nobody})
    with pytest.raises(RegistryError, match=r"MLflow at postgresql\+psycopg://\*\*\*@127") as told:
        load_model(down.tracking_uri, "fraud")
    assert not any(secret in str(told.value) for secret in SECRETS)


def test_a_wrong_password_is_told_without_it(settings: Settings) -> None:
    wrong = str(settings.mlflow_uri).replace(quote(PASSWORD, safe=""), "another-secret")
    with pytest.raises(RegistryError, match="password authentication failed") as told:
        load_model(wrong, "fraud")
    assert "another-secret" not in str(told.value)


def test_a_database_that_goes_while_a_model_is_fitted_gets_nothing(
    servers: Servers, project: Project
) -> None:
    """Nothing is half registered: once it is back it knows of no model, and takes one."""
    settings = servers.settings(project, "gone")

    def progress(what: str, share: float) -> None:
        if what == "registering":
            servers.postgres.stop()

    try:
        with pytest.raises(RegistryError, match="Connection refused"):
            _train(settings, seed=0, progress=progress)
    finally:
        servers.postgres.start()
    assert _registered(settings) == []
    assert train_small(settings).registered.is_champion


def test_a_bucket_that_is_not_there_leaves_no_model(servers: Servers, project: Project) -> None:
    settings = servers.settings(project, "bucketless")
    servers.s3.client().delete_bucket(Bucket="bucketless")
    with pytest.raises(RegistryError, match="NoSuchBucket"):
        train_small(settings)
    assert _registered(settings) == []


def test_an_s3_server_that_is_down_leaves_no_model(
    servers: Servers, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = servers.settings(project, "s3-down")
    nobody = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", nobody)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", nobody)
    with pytest.raises(RegistryError, match=r"Could not connect to the endpoint URL|refused"):
        train_small(settings)
    assert _registered(settings) == []


def test_rows_that_another_run_logs_at_the_same_moment_are_logged(
    servers: Servers, project: Project
) -> None:
    """MLflow looks for the dataset and then inserts it; here another is in between, each time."""
    from mlflow.store.tracking.dbmodels.models import SqlDataset

    settings = servers.settings(project, "between")
    others: list[str] = []

    def insert_another(mapper: Any, connection: Connection, dataset: SqlDataset) -> None:
        columns = {column.name: getattr(dataset, column.name) for column in mapper.columns}
        others.append(f"{len(others):036}")
        with connection.engine.begin() as elsewhere:
            elsewhere.execute(insert(SqlDataset).values(columns | {"dataset_uuid": others[-1]}))

    event.listen(SqlDataset, "before_insert", insert_another)
    try:
        trained = train_small(settings).registered
    finally:
        event.remove(SqlDataset, "before_insert", insert_another)
    assert len(others) == 1
    assert trained.is_champion
    with model_registry(settings.tracking_uri) as client:
        run = client.get_run(trained.run_id)
        (logged,) = run.inputs.dataset_inputs
    assert logged.dataset.name == "training"


def test_of_two_first_trainings_at_once_one_is_champion(servers: Servers, project: Project) -> None:
    settings = servers.settings(project, "at-once")
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(AT_ONCE), context.SimpleQueue()
    processes = [
        context.Process(target=_train_at_once, args=(settings, seed, barrier, told))
        for seed in range(AT_ONCE)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
        assert process.exitcode == 0
    ranks = dict(told.get() for _ in processes)
    assert sorted(ranks) == [1, 2]
    assert sorted(ranks.values()) == [False, True]
    (champion,) = [number for number, is_champion in ranks.items() if is_champion]
    assert load_model(settings.tracking_uri, "fraud", alias=CHAMPION).version == champion
    assert load_model(settings.tracking_uri, "fraud", alias=CHALLENGER).version in ranks
    assert _registered(settings) == ["fraud"]


def _train_at_once(settings: Settings, seed: int, barrier: Barrier, told: Any) -> None:
    """Fits alone; comes to the empty database, and then to the empty registry, with the other."""
    make_challenger = register._make_challenger

    def progress(what: str, share: float) -> None:
        if what == "registering":
            barrier.wait(timeout=100)

    def together(*arguments: Any) -> register.Registered:
        barrier.wait(timeout=100)
        return make_challenger(*arguments)

    # In a process of its own.
    register._make_challenger = together
    registered = _train(settings, seed=seed, progress=progress).registered
    told.put((registered.version, registered.is_champion))


def _train(settings: Settings, *, seed: int, progress: Progress) -> TrainingResult:
    options = TrainingOptions(parameters=FitParameters(iterations=5, seed=seed))
    store = open_feature_store(settings)
    return train(settings, store, load_use_case("fraud"), options, progress)


def _registered(settings: Settings) -> list[str]:
    """The names of the models that there are."""
    with model_registry(settings.tracking_uri) as client:
        return [model.name for model in client.search_registered_models()]
