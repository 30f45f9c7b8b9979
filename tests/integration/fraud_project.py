"""The steps from nothing to a materialised project, small and in process."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.generate.fraud import Options, generate
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from training.dataset import Dataset, join_features
from training.fit import FitParameters
from training.run import TrainingOptions, TrainingResult, train
from training.use_case import load_use_case

START = datetime(2018, 4, 1, tzinfo=UTC)
DAYS = 45


@dataclass(frozen=True)
class Project:
    """Where it is, and what happened in it so far."""

    settings: Settings
    training: TrainingResult
    untouched: Path

    @classmethod
    def trained(cls, settings: Settings) -> Project:
        """Trains, and keeps the lake as it is then: what tests serve leaves logs in it."""
        training = train_small(settings)
        untouched = settings.project_dir / "untouched"
        return cls(settings, training, Path(shutil.copytree(settings.lake, untouched)))

    def copy_lake(self, settings: Settings) -> None:
        """Gives another project the lake of this one, as it was when it was trained."""
        shutil.copytree(self.untouched, settings.lake)

    @property
    def transactions(self) -> pl.DataFrame:
        """All transactions, in time order."""
        transactions = Lake.at(self.settings.lake).table("fraud/transactions").scan()
        return transactions.sort("event_timestamp", "transaction_id").collect()


def fill_lake(settings: Settings) -> None:
    """Generates, ingests and builds some thousand transactions."""
    lake = Lake.at(settings.lake)
    raw = settings.project_dir / "raw.parquet"
    generate(Options(customers=100, terminals=600, days=DAYS, seed=1)).write_parquet(raw)
    ingest(ingest_spec(), raw, lake=lake, max_rejected_share=0.0)
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=_ignore)


def train_small(settings: Settings) -> TrainingResult:
    """A real model of twenty trees, registered."""
    options = TrainingOptions(parameters=FitParameters(iterations=20))
    return train(settings, open_feature_store(settings), load_use_case("fraud"), options, _ignore)


def training_rows(settings: Settings, transactions: pl.DataFrame) -> Dataset:
    """The features of fraud_v1 at each transaction, as training gets them."""
    store = open_feature_store(settings)
    return join_features(store, transactions, feature_service="fraud_v1", row_id="transaction_id")


def materialize(settings: Settings, redis_url: str, end: datetime) -> None:
    """What `feast materialize` does, from the first day on."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        open_feature_store(settings).materialize(START - timedelta(days=1), end)


def _ignore(what: str, share: float) -> None:
    pass
