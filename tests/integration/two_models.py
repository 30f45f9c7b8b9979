"""A project with two registered models: which of them serves, and whether an answer is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from serving_client import END, GOOD, PREDICT
from starlette.testclient import TestClient

from lockstep.contract.clock import FixedClock
from lockstep.contract.model_registry import model_registry
from lockstep.contract.predictor import Predictor
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from serving.model_fetcher import ModelFetcher
from serving.plan_compiler import serving_plan
from serving.settings import ServingSettings

BATCH, RELOAD, MODELS = f"{PREDICT}/batch", "/v1/models/reload", "/v1/models"
# A registry that is looked at once, and then only when it is asked for.
ON_REQUEST = {"model_poll_seconds": 3600}


def alias(settings: Settings, name: str, version: int | None) -> None:
    """Gives the alias to a version, or takes it away."""
    with model_registry(settings.tracking_uri) as client:
        if version is None:
            client.delete_registered_model_alias("fraud", name)
        else:
            client.set_registered_model_alias("fraud", name, str(version))


def artefacts(settings: Settings, version: int) -> Path:
    """The folder in which MLflow keeps the files of a version."""
    with model_registry(settings.tracking_uri) as client:
        run_id = client.get_model_version("fraud", str(version)).run_id
    descriptions = settings.home_dir.glob("mlartifacts/models/*/artifacts/MLmodel")
    (found,) = (path.parent for path in descriptions if run_id in path.read_text())
    return found


def served_by(client: TestClient) -> int:
    """The version that answers now."""
    answer = client.post(PREDICT, json=GOOD)
    assert answer.status_code == 200, answer.text
    version: int = answer.json()["model"]["version"]
    return version


def reloaded(client: TestClient) -> dict[str, Any]:
    """What /v1/models/reload says of fraud; GET says the same."""
    answer = client.post(RELOAD)
    assert answer.status_code == 200, answer.text
    told = _of_fraud(answer.json())
    assert _of_fraud(client.get(MODELS).json()) == told
    return told


def _of_fraud(models: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = (document for document in models if document["use_case"] == "fraud")
    return found


def loaded(models: dict[str, Any]) -> dict[str, int]:
    """The loaded versions by alias."""
    return {model["alias"]: model["version"] for model in models["loaded"]}


def requests(settings: Settings, rows: int) -> list[dict[str, Any]]:
    """Requests for the first transactions after END."""
    transactions = Lake.at(settings.lake).table("fraud/transactions").scan()
    later = transactions.filter(pl.col("event_timestamp") > END).sort("event_timestamp")
    asked = later.head(rows).select("customer_id", "terminal_id", "amount_cents").collect()
    return [row | {"event_timestamp": END.isoformat()} for row in asked.to_dicts()]


def check_wholly_of_one(answer: dict[str, Any], predictors: dict[int, Predictor]) -> int:
    """The version of an answer, of which all of it must be."""
    version: int = answer["model"]["version"]
    predictor = predictors[version]
    order = predictor.artefact.feature_order
    assert tuple(answer["features"]) == order
    columns = {name: [answer["features"][name]["value"]] for name in order}
    assert answer["score"] == predictor.scores(columns)[0]
    assert answer["threshold"] == predictor.artefact.threshold
    is_blocked = answer["score"] >= answer["threshold"]
    assert answer["decision"] == ("block" if is_blocked else "allow")
    return version


def truncate(folder: Path) -> None:
    """Takes the end of a model's file away."""
    model = folder / "model.cb"
    model.write_bytes(model.read_bytes()[:-100])


def fetcher_of(settings: Settings, **limits: Any) -> tuple[ServingSettings, ModelFetcher]:
    """Settings of a server, and its fetcher, which looks when it is told to."""
    chosen = ServingSettings(project=settings, auth="off", log_share=0, **limits)
    return chosen, ModelFetcher(chosen, serving_plan(chosen), FixedClock(END))
