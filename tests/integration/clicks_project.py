"""Clicks from a file to a trained project that is materialised at a cut."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feast_project import make_project

from feature_repo.discovery import feast_objects
from feature_repo.store import open_feature_store
from feature_repo.windows.clicks import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.generate.clicks import Options, generate_frames
from lockstep.jobs.generate.write import write_frames
from lockstep.jobs.ingest.clicks import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from training.fit import FitParameters
from training.run import TrainingOptions, TrainingResult, train
from training.split_rules import SplitRules
from training.use_case import load_use_case

START = datetime(2017, 11, 6, tzinfo=UTC)


@dataclass(frozen=True)
class ClicksProject:
    """Where it is, up to when its Redis has everything, and its model."""

    settings: Settings
    redis_url: str
    cut: datetime
    training: TrainingResult


def generated_file(folder: Path) -> Path:
    """Some thousand clicks of six days, as text."""
    options = Options(clicks_a_day=800, days=6, addresses=400, seed=3)
    path = folder / "clicks.csv"
    write_frames(path, generate_frames(options))
    return path


def clicks_project(folder: Path, file: Path, redis_url: str, *, cut: datetime) -> ClicksProject:
    """Everything up to `cut` is in Redis; the model has twenty trees and knows as much."""
    settings = make_project(folder)
    lake = Lake.at(settings.lake)
    ingest(ingest_spec(), file, lake=lake, max_rejected_share=0.0)
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=_ignore)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        store = open_feature_store(settings)
        store.apply(list(feast_objects("clicks").values()))
        options = TrainingOptions(
            as_of=cut, split=SplitRules(test_days=1), parameters=FitParameters(iterations=20)
        )
        result = train(settings, store, load_use_case("clicks"), options, _ignore)
        store.materialize(START - timedelta(days=1), cut)
    return ClicksProject(settings, redis_url, cut, result)


def _ignore(what: str, share: float) -> None:
    pass
