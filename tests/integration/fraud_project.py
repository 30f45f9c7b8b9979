"""The steps from nothing to a materialised project, small and in process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from training.run import TrainingResult

START = datetime(2018, 4, 1, tzinfo=UTC)
DAYS = 45


@dataclass(frozen=True)
class Project:
    """Where it is, and what happened in it so far."""

    settings: Settings
    training: TrainingResult

    @property
    def transactions(self) -> pl.DataFrame:
        """All transactions, in time order."""
        transactions = Lake.at(self.settings.lake).table("fraud/transactions").scan()
        return transactions.sort("event_timestamp", "transaction_id").collect()


def fill_lake(settings: Settings) -> None:
    """Generates, ingests and builds some thousand transactions."""
    from feature_repo.windows.fraud import WINDOW_SPECS
    from lockstep.contract.clock import SystemClock
    from lockstep.jobs.build import build
    from lockstep.jobs.generate.fraud import Options, generate
    from lockstep.jobs.ingest.fraud import ingest_spec
    from lockstep.jobs.ingest.run import ingest

    lake = Lake.at(settings.lake)
    raw = settings.project_dir / "raw.parquet"
    generate(Options(customers=100, terminals=600, days=DAYS, seed=1)).write_parquet(raw)
    ingest(
        ingest_spec(label_delay_days=None),
        raw,
        lake=lake,
        max_rejected_share=0.0,
        progress=_ignore,
    )
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=_ignore)


def apply_definitions(settings: Settings) -> None:
    """What `feast apply` does."""
    from feature_repo import feast_objects
    from feature_repo.store import open_feature_store

    objects = [getattr(feast_objects, name) for name in feast_objects.__all__]
    open_feature_store(settings).apply(objects)


def train_small(settings: Settings) -> TrainingResult:
    """A real model of twenty trees, registered."""
    from feature_repo.store import open_feature_store
    from training.fit import FitParameters
    from training.run import TrainingOptions, train
    from training.use_case import load_use_case

    options = TrainingOptions(parameters=FitParameters(iterations=20))
    return train(settings, open_feature_store(settings), load_use_case("fraud"), options, _ignore)


def materialize(settings: Settings, redis_url: str, end: datetime) -> None:
    """What `feast materialize` does, from the first day on."""
    from feature_repo.store import open_feature_store

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        open_feature_store(settings).materialize(START - timedelta(days=1), end)


def _ignore(what: str, share: float) -> None:
    pass
