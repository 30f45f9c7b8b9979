"""A project with a history of two months, three hours of raw files, and a champion."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
from airflow_process import ROOT, SCHEDULES

from feature_repo.discovery import feast_objects
from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.generate.fraud import Options, generate
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.record import read_record
from lockstep.lake.content_hash import content_hash
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from training.fit import FitParameters
from training.run import TrainingOptions, train
from training.use_case import load_use_case

HOUR = timedelta(hours=1)
# The last three hours that have files, of a Thursday.
FIRST_HOUR = datetime(2026, 10, 29, 9, tzinfo=UTC)
HOURS = [FIRST_HOUR + n * HOUR for n in range(3)]
TRAINED = datetime(2026, 10, 19, tzinfo=UTC)


@dataclass(frozen=True)
class ScheduleProject:
    """Where the project is, and the Redis that its features go to."""

    folder: Path
    redis_url: str

    @property
    def settings(self) -> Settings:
        return Settings(project_dir=self.folder, home=None, redis_url=self.redis_url)

    @property
    def lake(self) -> Lake:
        return Lake.at(self.settings.lake)

    @property
    def landing(self) -> Path:
        return self.folder / "landing" / "fraud"

    @property
    def environment(self) -> dict[str, str]:
        """What Airflow's tasks are told."""
        return SCHEDULES | {
            "LOCKSTEP_PROJECT_DIR": str(self.folder),
            "LOCKSTEP_LANDING": str(self.landing.parent),
            "LOCKSTEP_SEARCH_TRIALS": "1",
            "REDIS_URL": self.redis_url,
        }

    def land(self, hour: datetime) -> None:
        """Puts the raw file of an hour where the schedule looks for it."""
        folder = self.landing / f"{hour:%Y-%m-%dT%H}"
        folder.mkdir(parents=True)
        shutil.copy(self.folder / "raw" / f"{hour:%H}.parquet", folder / "part.parquet")

    def horizons(self) -> dict[str, datetime]:
        """Up to when each table of steps is built."""
        records = {s.name: read_record(self.lake.table(s.table)) for s in WINDOW_SPECS}
        return {name: record.end for name, record in records.items() if record}

    def hashes(self) -> dict[str, str]:
        """The content of every table of facts and of steps."""
        tables = [s.table for s in WINDOW_SPECS] + ["fraud/transactions", "fraud/verdicts"]
        return {name: content_hash(_rows(self.lake, name)) for name in tables}


def _rows(lake: Lake, name: str) -> pl.DataFrame:
    rows = lake.table(name).scan().collect()
    return rows.sort([c for c in rows.columns if c.endswith(("_id", "timestamp"))])


def make_history(folder: Path) -> None:
    """Ingests and builds what was before the first hour; applies fraud; trains a champion."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "feature_repo", folder / "feature_repo", ignore=ignored)
    project = ScheduleProject(folder, "redis://127.0.0.1:1/0")
    options = Options(customers=80, terminals=120, days=60, start=date(2026, 9, 1))
    raw = generate(options)
    (folder / "raw").mkdir()
    for hour in HOURS:
        _between(raw, hour, hour + HOUR).write_parquet(folder / "raw" / f"{hour:%H}.parquet")
    _between(raw, datetime(2026, 9, 1, tzinfo=UTC), FIRST_HOUR).write_parquet(
        folder / "old.parquet"
    )
    ingest(ingest_spec(), folder / "old.parquet", lake=project.lake, max_rejected_share=0.0)
    build(project.lake, WINDOW_SPECS, end=FIRST_HOUR, clock=SystemClock(), progress=_ignore)
    store = open_feature_store(project.settings)
    store.apply(list(feast_objects("fraud").values()))
    fewest = TrainingOptions(parameters=FitParameters(iterations=20), as_of=TRAINED)
    train(project.settings, store, load_use_case("fraud"), fewest, _ignore)


def built_at_once(project: ScheduleProject) -> dict[str, str]:
    """The hashes after one ingest and one build of all three hours."""
    for hour in HOURS:
        project.land(hour)
        folder = project.landing / f"{hour:%Y-%m-%dT%H}"
        ingest(ingest_spec(), folder, lake=project.lake, max_rejected_share=0.0)
    end = HOURS[-1] + HOUR
    build(project.lake, WINDOW_SPECS, end=end, clock=SystemClock(), progress=_ignore)
    return project.hashes()


def _between(raw: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    naive = [instant.replace(tzinfo=None) for instant in (start, end)]
    return raw.filter(pl.col("TX_DATETIME").is_between(*naive, closed="left"))


def _ignore(what: str, share: float) -> None:
    pass
