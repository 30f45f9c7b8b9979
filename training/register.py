"""The run and the model in MLflow; a version gets its alias last, when all else stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import polars as pl

from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.model_input import model_input
from lockstep.contract.model_registry import model_registry
from lockstep.contract.predictor import Predictor
from lockstep.settings import Settings
from training.bootstrap import Interval
from training.dataset import Dataset
from training.evaluate import ScoredRows
from training.model_card import model_card
from training.plots import figures
from training.trial_log import Trial

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
    metrics: Mapping[str, Interval]
    folds: Mapping[str, Mapping[str, Any]]
    threshold_rule: str
    dataset: Dataset
    trials: Sequence[Trial]
    warnings: Sequence[str]


@dataclass(frozen=True)
class Registered:
    """Where a model stands in the registry; the first of its name is the champion at once."""

    name: str
    version: int
    run_id: str
    is_champion: bool


def register(
    settings: Settings,
    predictor: Predictor,
    example: pl.DataFrame,
    scored: ScoredRows,
    evidence: Evidence,
) -> Registered:
    """Logs the run and registers the model under its use case, as the challenger.

    Raises:
        RegistryError: MLflow or its store refused; then no alias was moved.
    """
    settings.home_dir.mkdir(parents=True, exist_ok=True)
    with model_registry(settings.tracking_uri) as client:
        name = predictor.artefact.use_case
        experiment_id = _experiment_id(client, settings, name)
        run_id, model_uri = _log_run(settings, experiment_id, predictor, example, scored, evidence)
        return _make_challenger(client, name, run_id, model_uri)


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
    scored: ScoredRows,
    evidence: Evidence,
) -> tuple[str, str]:
    """The ids of the run and of the model that it logged."""
    import mlflow

    artefact = predictor.artefact
    mlflow.set_tracking_uri(settings.tracking_uri)
    with mlflow.start_run(experiment_id=experiment_id) as run:
        mlflow.set_tags(
            {
                "use_case": artefact.use_case,
                "feature_service": artefact.feature_service,
                "fingerprint": evidence.dataset.fingerprint,
                "warnings": "; ".join(evidence.warnings) or "none",
            }
        )
        mlflow.log_params(dict(evidence.params))
        mlflow.log_metrics(_flat(evidence.metrics))
        _log_dataset(evidence.dataset, settings.lake)
        _log_trials(evidence.trials, experiment_id)
        plots = figures(predictor, scored)
        for name, figure in plots.items():
            mlflow.log_figure(figure, f"plots/{name}.png")
        mlflow.log_text(model_card(predictor, scored, evidence, plots), "model_card.html")
        return str(run.info.run_id), _log_model(predictor, example, evidence)


def _flat(metrics: Mapping[str, Interval]) -> dict[str, float]:
    """Each metric and the ends of its interval, but for what is not known."""
    numbers: dict[str, float] = {}
    for name, interval in metrics.items():
        ends = {"": interval.value, "_low": interval.low, "_high": interval.high}
        numbers |= {f"test_{name}{end}": value for end, value in ends.items()}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _log_dataset(dataset: Dataset, lake: str) -> None:
    """The rows' hash as MLflow's digest, which takes 36 characters, and the whole receipt."""
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    digest = str(dataset.receipt["content_hash"])[:36]
    source = CodeDatasetSource({"lake": lake, "fingerprint": dataset.fingerprint})
    described = MetaDataset(source, name="training", digest=digest)  # type: ignore[abstract]  # theirs
    mlflow.log_input(described, context="training")
    mlflow.log_dict({**dataset.receipt, "fingerprint": dataset.fingerprint}, "dataset.json")


def _log_trials(trials: Sequence[Trial], experiment_id: str) -> None:
    import mlflow

    for trial in trials:
        name = f"trial {trial.number}"
        with mlflow.start_run(experiment_id=experiment_id, nested=True, run_name=name):
            mlflow.log_params(dict(trial.values))
            mlflow.log_metrics({"average_precision": trial.score, "trees": trial.trees})
            mlflow.set_tag("pruned", str(trial.is_pruned).lower())


def _log_model(predictor: Predictor, example: pl.DataFrame, evidence: Evidence) -> str:
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
        metadata=predictor.artefact.to_metadata()
        | {
            "folds": evidence.folds,
            "threshold_rule": evidence.threshold_rule,
            "fingerprint": evidence.dataset.fingerprint,
            "dataset_hash": evidence.dataset.receipt["content_hash"],
        },
    )
    return str(logged.model_uri)


def _signature(predictor: Predictor) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double, name, required=False) for name in predictor.artefact.feature_order
    ]
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec(DataType.long)]))


def _make_challenger(client: MlflowClient, name: str, run_id: str, model_uri: str) -> Registered:
    models = client.search_registered_models(filter_string=f"name = '{name}'")
    if not models:
        client.create_registered_model(name)
    created = client.create_model_version(name, source=model_uri, run_id=run_id)
    client.set_registered_model_alias(name, CHALLENGER, created.version)
    is_first = not models or CHAMPION not in models[0].aliases
    if is_first:
        client.set_model_version_tag(name, created.version, "promotion", "first of its name")
        client.set_registered_model_alias(name, CHAMPION, created.version)
    return Registered(name, int(created.version), run_id, is_first)
