"""Generated bars with a registered model of three classes, served from a Redis at a cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from market_project import make_market, offline
from serving_client import api, wait_until_ready
from starlette.testclient import TestClient

from feature_repo.definitions.market import market_v1
from feature_repo.store import open_feature_store
from lockstep.contract.market import SCORED_EVENTS
from lockstep.contract.model_artefact import CHAMPION, ModelArtefact
from lockstep.contract.model_registry import model_registry
from lockstep.contract.targets import ClassTarget
from lockstep.jobs.generate.market import Options, generate
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.dataset import join_features

PREDICT = "/v1/market/predict"
BAR, TICK = timedelta(hours=4), timedelta(microseconds=1)
START = datetime(2023, 1, 1, tzinfo=UTC)
# Four midnights before the last bar: asset 1 has all its windows filled, asset 3 has not.
CUT = datetime(2023, 6, 6, tzinfo=UTC) + TICK


@dataclass(frozen=True)
class MarketProject:
    """Where it is, its Redis, and the bars as an exchange would export them."""

    settings: Settings
    redis_url: str
    raw: pl.DataFrame

    def bar(self, asset: int, end: datetime) -> dict[str, Any]:
        """The candle of a request: the bar that ends then."""
        begins = pl.col("timestamp").dt.replace_time_zone("UTC") == end - BAR
        (row,) = self.raw.filter(begins, pl.col("asset_id") == asset).to_dicts()
        prices = {name: row[name] for name in ("open", "high", "low", "close", "volume")}
        return {"open_time": f"{end - BAR:%Y-%m-%dT%H:%M:%SZ}", **prices}

    def ends_after(self, asset: int, cut: datetime) -> list[datetime]:
        """When the bars end that are not in Redis yet, oldest first."""
        ends = self.raw.filter(pl.col("asset_id") == asset).select(
            end=pl.col("timestamp").dt.replace_time_zone("UTC") + BAR
        )
        return ends.filter(pl.col("end") + TICK > cut).sort("end")["end"].to_list()


def raw_bars() -> pl.DataFrame:
    """Three assets with gaps; the third is new."""
    rows = generate(Options(assets=3, days=160, missing=0.02, seed=4))
    since = pl.datetime(2023, 5, 1)
    return rows.filter((pl.col("asset_id") < 3) | (pl.col("timestamp") >= since))


def market_project(folder: Path, redis_url: str, *, cut: datetime = CUT) -> MarketProject:
    """Ingested, built, with a model, and in Redis what was known at `cut`."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = raw_bars()
    raw.write_parquet(folder / "bars.parquet")
    settings = make_market(folder / "project", folder / "bars.parquet")
    register_small(settings)
    materialize(settings, redis_url, cut)
    return MarketProject(settings, redis_url, raw)


def materialize(settings: Settings, redis_url: str, cut: datetime) -> None:
    """What `feast materialize` does, from the first day on."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        open_feature_store(settings).materialize(START - timedelta(days=4000), cut)


def decided_bars(settings: Settings) -> pl.DataFrame:
    """All bars with their T."""
    bars = Lake.at(settings.lake).table(SCORED_EVENTS.table).scan()
    t = SCORED_EVENTS.t()
    rows = bars.select("bar_id", "asset_id", t, t.dt.timestamp("us").alias("decision_time_us"))
    return rows.sort(EVENT_TIMESTAMP, "bar_id").collect()


def register_small(settings: Settings) -> None:
    """A champion of ten trees that tells by chance what the next bar does."""
    import mlflow
    from catboost import CatBoostClassifier, Pool
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    store, rows = open_feature_store(settings), decided_bars(settings)
    dataset = join_features(store, rows, feature_service=market_v1.name, row_id="bar_id")
    order = dataset.feature_order
    matrix = dataset.rows.select(order).to_numpy().astype(np.float64)
    labels = np.random.default_rng(0).integers(0, 3, len(matrix))
    model = CatBoostClassifier(
        iterations=10, loss_function="MultiClass", verbose=False, allow_writing_files=False
    ).fit(Pool(matrix, labels, feature_names=list(order)))
    artefact = ModelArtefact(
        "market",
        market_v1.name,
        order,
        ClassTarget(0.36, 3),
        datetime(2023, 5, 1, tzinfo=UTC),
        dataset.fingerprint,
    )
    inputs = Schema([ColSpec(DataType.double, name, required=False) for name in order])
    with model_registry(settings.tracking_uri) as client:
        mlflow.set_tracking_uri(settings.tracking_uri)
        place = (settings.home_dir / "mlartifacts").as_uri()
        experiment = client.create_experiment("market", artifact_location=place)
        with mlflow.start_run(experiment_id=experiment) as run:
            logged = mlflow.catboost.log_model(
                model,
                name="model",
                signature=ModelSignature(inputs=inputs),
                input_example=pd.DataFrame(matrix[-3:], columns=list(order)),
                pip_requirements=["catboost"],
                metadata=artefact.to_metadata(),
            )
        client.create_registered_model("market")
        made = client.create_model_version("market", logged.model_uri, run_id=run.info.run_id)
        client.set_registered_model_alias("market", CHAMPION, made.version)


@contextmanager
def market_api(project: MarketProject, now: datetime = CUT, **limits: Any) -> Iterator[TestClient]:
    """The running API of a project."""
    with api(project.settings, project.redis_url, now, **limits) as client:
        wait_until_ready(client)
        yield client


def values_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The features of an answer, by name."""
    return {name: feature["value"] for name, feature in answer["features"].items()}


def joined(project: MarketProject, at: datetime, asset: int) -> dict[str, Any]:
    """What a build with all bars says at T."""
    (row,) = offline(open_feature_store(project.settings), [at], asset=asset).to_dicts()
    return row


def statuses_of(answer: dict[str, Any]) -> set[str]:
    """Those of its features."""
    return {feature["status"] for feature in answer["features"].values()}


def asked(client: TestClient, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a prediction that is asked for."""
    answer = client.post(PREDICT, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
