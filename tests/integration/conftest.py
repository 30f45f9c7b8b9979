"""What tests start from: a trained project, one written by hand, the real transactions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from feast_project import apply_definitions, make_project, write_steps
from fraud_project import Project, fill_lake, train_small

from lockstep.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Generated, ingested, built, applied and trained; nothing is materialised.

    Every test shares it: read only.
    """
    settings = make_project(tmp_path_factory.mktemp("project"))
    fill_lake(settings)
    apply_definitions(settings)
    return Project(settings, train_small(settings))


@pytest.fixture
def untrained(project: Project, tmp_path: Path) -> Settings:
    """The project as it was before training."""
    settings = make_project(tmp_path / "untrained")
    shutil.copytree(project.settings.lake, settings.lake)
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
