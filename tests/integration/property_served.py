"""Generated flats with a small model of quantiles, served from a Redis at a cut."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from property_project import make_property
from starlette.testclient import TestClient

from feature_repo.store import open_feature_store
from lockstep.cli.demo_parts.requests import bodies
from lockstep.contract.model_artefact import CHAMPION
from lockstep.contract.model_registry import model_registry
from lockstep.contract.property import SCORED_EVENTS
from lockstep.jobs.generate.property import Options, generate_frames
from lockstep.jobs.generate.write import write_frames
from lockstep.settings import Settings
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.fit import FitParameters
from training.run import TrainingOptions, TrainingResult, train
from training.split_rules import SplitRules
from training.use_case import load_use_case

PREDICT = "/v1/property/predict"
FLAT: dict[str, Any] = {"locality": "Town 1", "total_area_dm2": 4_040, "rooms": 1}
# Nothing of the generated region is near.
ELSEWHERE = {"latitude_e6": 68_970_000, "longitude_e6": 33_090_000}
START = datetime(2023, 1, 1, tzinfo=UTC)
# Flats are published every few hours until the end of October.
CUT = datetime(2023, 8, 1, 12, 30, tzinfo=UTC)
OPTIONS = Options(listings=1_500, localities=4, buildings=60, days=300, start=date(2023, 1, 1))


@dataclass(frozen=True)
class PropertyProject:
    """Where it is, the Redis that has everything up to `CUT`, and its model."""

    settings: Settings
    redis_url: str
    training: TrainingResult


def property_project(folder: Path, redis_url: str) -> PropertyProject:
    """Ingested, built, with a champion of twenty trees that knows as much as Redis."""
    write_frames(folder / "listings.parquet", generate_frames(OPTIONS))
    settings, _ = make_property(folder / "project", folder / "listings.parquet")
    options = TrainingOptions(
        as_of=CUT,
        split=SplitRules(test_days=40, validation_days=20, group="building_id"),
        parameters=FitParameters(iterations=20),
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        store = open_feature_store(settings)
        result = train(settings, store, load_use_case("property"), options, _ignore)
        store.materialize(START - timedelta(days=1), CUT)
    # So small a model may miss its floor.
    _make_champion(settings, result.registered.version)
    return PropertyProject(settings, redis_url, result)


@contextmanager
def champion_without_requests(project: PropertyProject, folder: Path) -> Iterator[None]:
    """Meanwhile the champion is a copy that was registered without requests."""
    import yaml

    (described,) = project.settings.home_dir.glob("mlartifacts/models/*/artifacts/MLmodel")
    shutil.copytree(described.parent, folder)
    content = yaml.safe_load(described.read_text())
    assert content["metadata"].pop("requests")
    (folder / "MLmodel").write_text(yaml.safe_dump(content))
    with model_registry(project.settings.tracking_uri) as client:
        run_id = project.training.registered.run_id
        made = client.create_model_version("property", folder.as_uri(), run_id=run_id)
    _make_champion(project.settings, int(made.version))
    try:
        yield
    finally:
        _make_champion(project.settings, project.training.registered.version)


def _make_champion(settings: Settings, version: int) -> None:
    with model_registry(settings.tracking_uri) as client:
        client.set_registered_model_alias("property", CHAMPION, str(version))


def _ignore(what: str, share: float) -> None:
    pass


def asked(client: TestClient, body: dict[str, Any], path: str = PREDICT) -> dict[str, Any]:
    """The answer to what is asked, a prediction where nothing else is said."""
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def said(answer: dict[str, Any]) -> dict[str, Any]:
    """All of an answer but its id."""
    return {name: value for name, value in answer.items() if name != "request_id"}


def served(client: TestClient, flats: pl.DataFrame) -> list[dict[str, Any]]:
    """The answers to all flats, each at its T."""
    return [asked(client, body) for body in bodies(SCORED_EVENTS, flats)]


def at_the_cut(flats: pl.DataFrame) -> pl.DataFrame:
    """The flats as if they were published at `CUT`."""
    at = pl.lit(CUT).cast(flats.schema[EVENT_TIMESTAMP])
    return flats.with_columns(
        at.alias(EVENT_TIMESTAMP), at.dt.timestamp("us").alias(SCORED_EVENTS.time_column)
    )
