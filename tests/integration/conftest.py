"""What tests start from: a trained project, one written by hand, the real transactions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from feast_project import apply_definitions, make_project, write_steps
from fraud_project import Project, fill_lake, materialize, train_small
from market_served import MarketProject, market_project
from property_served import PropertyProject, property_project
from serving_client import END
from two_models import alias, artefacts

from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.predictor import Predictor
from lockstep.contract.registered_model import load_model
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis
from training.fit import FitParameters
from training.run import TrainingOptions, train
from training.use_case import load_use_case

if TYPE_CHECKING:
    from feast import FeatureStore


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Generated, ingested, built, applied and trained; nothing is materialised.

    Every test shares it, and may serve it: a test of logs or of the ledger copies its lake.
    """
    settings = make_project(tmp_path_factory.mktemp("project"))
    fill_lake(settings)
    apply_definitions(settings)
    return Project.trained(settings)


@pytest.fixture
def untrained(project: Project, tmp_path: Path) -> Settings:
    """The project as it was before training."""
    settings = make_project(tmp_path / "untrained")
    project.copy_lake(settings)
    apply_definitions(settings)
    return settings


@pytest.fixture
def handwritten(tmp_path: Path) -> Settings:
    """A project of the test's own, whose two window tables were written by hand."""
    settings = make_project(tmp_path)
    write_steps(settings)
    return settings


@pytest.fixture
def fraud(handwritten: Settings) -> FeatureStore:
    """The store of that project, with the definitions of which it has tables."""
    return apply_definitions(handwritten, daily=False)


@pytest.fixture
def redis_environment(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every store finds a Redis with nothing in it."""
    monkeypatch.setenv("REDIS_URL", redis_url)


@pytest.fixture(scope="session")
def handbook(real_data_dir: Path) -> Path:
    """The file of the real transactions; only for tests marked `realdata`."""
    return real_data_dir / "handbook_transactions.parquet"


@pytest.fixture(scope="module")
def real_transactions(handbook: Path) -> pl.DataFrame:
    """Its rows in the columns of the lake, each known at once, in the order of the file."""
    time = pl.col("TX_DATETIME").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    columns = pl.scan_parquet(handbook).select(
        transaction_id=pl.col("TRANSACTION_ID").cast(pl.Int64),
        customer_id=pl.col("CUSTOMER_ID").cast(pl.Int64),
        terminal_id=pl.col("TERMINAL_ID").cast(pl.Int64),
        event_timestamp=time,
        created_timestamp=time,
        amount_cents=(pl.col("TX_AMOUNT") * 100).round().cast(pl.Int64),
        fraud=pl.col("TX_FRAUD").cast(pl.Int64),
    )
    return columns.collect()


@pytest.fixture(scope="session")
def trained_twice(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Version 1 of twenty trees and version 2 of three."""
    settings = make_project(tmp_path_factory.mktemp("twice"))
    project.copy_lake(settings)
    store = apply_definitions(settings)
    train_small(settings)
    few = TrainingOptions(parameters=FitParameters(iterations=3))
    train(settings, store, load_use_case("fraud"), few, lambda what, share: None)
    return settings


@pytest.fixture(scope="session")
def models_redis(trained_twice: Settings) -> Iterator[str]:
    """A Redis in which the project is materialised up to END."""
    with embedded_redis() as url:
        materialize(trained_twice, url, END)
        yield url


@pytest.fixture(scope="session")
def predictors(trained_twice: Settings) -> dict[int, Predictor]:
    """The models as the registry has them, by version."""
    uri = trained_twice.tracking_uri
    return {n: load_model(uri, "fraud", version=n).predictor for n in (1, 2)}


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketProject]:
    """Bars of three assets with a model, in a Redis of their own up to the cut; read only."""
    with embedded_redis() as url:
        yield market_project(tmp_path_factory.mktemp("market"), url)


@pytest.fixture(scope="session")
def flats_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropertyProject]:
    """Flats with a model, in a Redis of their own up to the cut; read only."""
    with embedded_redis() as url:
        yield property_project(tmp_path_factory.mktemp("property"), url)


@pytest.fixture
def two_models(trained_twice: Settings) -> Iterator[Settings]:
    """Version 1 is champion, nothing is in the cache; files of version 2 are mended afterwards."""
    shutil.rmtree(trained_twice.home_dir / "models", ignore_errors=True)
    alias(trained_twice, CHAMPION, 1)
    alias(trained_twice, CHALLENGER, None)
    files = artefacts(trained_twice, 2)
    kept = {path: path.read_bytes() for path in files.iterdir() if path.is_file()}
    yield trained_twice
    for path, content in kept.items():
        path.write_bytes(content)
