"""A challenger in the shadow of the champion: scored, logged, and never in an answer."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
from serving_client import END, PATIENCE_SECONDS, PREDICT, api, wait_until_ready
from starlette.testclient import TestClient
from two_models import (
    ON_REQUEST,
    alias,
    check_wholly_of_one,
    loaded,
    reloaded,
    requests,
)

from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.predictor import Predictor
from lockstep.lake.lake import Lake
from lockstep.settings import Settings

SKIPPED = "lockstep_shadow_skipped_total"


def test_a_challenger_scores_in_the_shadow_of_the_champion(
    two_models: Settings, models_redis: str, predictors: dict[int, Predictor], tmp_path: Path
) -> None:
    elsewhere = two_models.model_copy(update={"lake_uri": str(tmp_path / "lake")})
    bodies = requests(two_models, 15)
    logged = {"log_share": 1.0, "log_flush_seconds": 0.05, **ON_REQUEST}
    with api(elsewhere, models_redis, END, **logged) as client:
        wait_until_ready(client)
        alone = [client.post(PREDICT, json=body).json() for body in bodies]
        alias(two_models, CHALLENGER, 2)
        assert loaded(reloaded(client)) == {"champion": 1, "challenger": 2}
        shadowed = [client.post(PREDICT, json=body).json() for body in bodies]
        _wait_for_shadows(client, len(bodies))
        skipped = _counted(client, SKIPPED)
        alias(two_models, CHALLENGER, None)
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


def test_a_challenger_that_becomes_champion_is_counted_as_such(
    two_models: Settings, models_redis: str
) -> None:
    alias(two_models, CHALLENGER, 2)
    with api(two_models, models_redis, END, **ON_REQUEST) as client:
        wait_until_ready(client)
        reloaded(client)
        alias(two_models, CHAMPION, 2)
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


def _log(two_models: Settings, table: str) -> pl.DataFrame:
    lake = Lake.at(two_models.lake)
    keys = [key for key in lake.list(f"fraud/{table}/") if key.endswith(".parquet")]
    return lake.scan_parquet(keys).collect()


def _features(two_models: Settings) -> pl.DataFrame:
    """The logged features under their short names."""
    rows = _log(two_models, "served_features/fraud_v1")
    own = ("__timestamp", "__status")
    short = {n: n.rpartition("__")[2] for n in rows.columns if n[:2] != "__" and "__" in n}
    return rows.select(
        "__request_id",
        *(pl.col(n).alias(name) for n, name in short.items() if not n.endswith(own)),
    )
