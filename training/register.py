"""The run, the model and its alias in MLflow; the alias moves last, when all else stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import polars as pl

from lockstep.contract.model_artefact import CHAMPION
from lockstep.contract.model_input import model_input
from lockstep.contract.model_registry import model_registry
from lockstep.contract.predictor import Predictor
from lockstep.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

_ARTIFACTS = "mlartifacts"
_MODEL = "model"
_REQUIREMENTS = ("catboost", "numpy")


@dataclass(frozen=True)
class Evidence:
    """What is recorded beside the model."""

    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Registered:
    """Where a model stands in the registry."""

    name: str
    version: int
    run_id: str


def register(
    settings: Settings, predictor: Predictor, example: pl.DataFrame, evidence: Evidence
) -> Registered:
    """Logs the run, registers the model under its use case and makes it the champion.

    Raises:
        RegistryError: MLflow or its store refused; then no alias was moved.
    """
    settings.home_dir.mkdir(parents=True, exist_ok=True)
    with model_registry(settings.tracking_uri) as client:
        name = predictor.artefact.use_case
        run_id, model_uri = _log_run(
            settings, _experiment_id(client, settings, name), predictor, example, evidence
        )
        return _make_champion(client, name, run_id, model_uri)


def _experiment_id(client: MlflowClient, settings: Settings, name: str) -> str:
    """The experiment's id; a new one keeps its artefacts in our folder unless a server has."""
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    folder = (settings.home_dir / _ARTIFACTS).as_uri() if settings.mlflow_uri is None else None
    return client.create_experiment(name, artifact_location=folder)


def _log_run(
    settings: Settings,
    experiment_id: str,
    predictor: Predictor,
    example: pl.DataFrame,
    evidence: Evidence,
) -> tuple[str, str]:
    """The ids of the run and of the model that it logged."""
    import mlflow

    mlflow.set_tracking_uri(settings.tracking_uri)
    with mlflow.start_run(experiment_id=experiment_id) as run:
        mlflow.set_tags(dict(evidence.tags))
        mlflow.log_params(dict(evidence.params))
        mlflow.log_metrics(dict(evidence.metrics))
        return str(run.info.run_id), _log_model(predictor, example, evidence.metadata)


def _log_model(predictor: Predictor, example: pl.DataFrame, metadata: Mapping[str, Any]) -> str:
    import logging

    import mlflow.catboost
    import pandas as pd

    # It warns where pip is absent, as in an environment made by uv.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    order = predictor.artefact.feature_order
    matrix = model_input(example.select(order).to_dict(), order)
    logged = mlflow.catboost.log_model(
        predictor.model,
        name=_MODEL,
        signature=_signature(predictor),
        input_example=pd.DataFrame(matrix, columns=list(order)),
        pip_requirements=[f"{package}=={version(package)}" for package in _REQUIREMENTS],
        metadata=predictor.artefact.to_metadata() | dict(metadata),
    )
    return str(logged.model_uri)


def _signature(predictor: Predictor) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double, name, required=False) for name in predictor.artefact.feature_order
    ]
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec(DataType.long)]))


def _make_champion(client: MlflowClient, name: str, run_id: str, model_uri: str) -> Registered:
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)
    created = client.create_model_version(name, source=model_uri, run_id=run_id)
    client.set_registered_model_alias(name, CHAMPION, created.version)
    return Registered(name, int(created.version), run_id)
