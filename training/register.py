"""The run and the model in MLflow; a version gets its alias last, when all else stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import polars as pl

from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.model_input import model_input
from lockstep.contract.model_registry import model_registry
from lockstep.contract.predictor import Predictor
from lockstep.contract.targets import ClassTarget
from lockstep.parity.drift.reference import FILE as REFERENCE_FILE
from lockstep.parity.drift.reference import Reference
from lockstep.settings import Settings
from training.bootstrap import Interval
from training.dataset import Dataset
from training.errors import AlreadyTrainedError
from training.model_card import model_card
from training.plots import figures
from training.promotion import Check
from training.promotion_lock import promotion_lock
from training.scored_rows import ScoredRows
from training.selection import Selection
from training.trial_log import Trial

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.models import ModelSignature

_ARTIFACTS = "mlartifacts"
_MODEL = "model"
_RECIPE = "recipe"
_SERVERS = ("http://", "https://")
_TAKEN = "RESOURCE_ALREADY_EXISTS"
# What MLflow makes of a unique key that its database refuses.
_REFUSED = "BAD_REQUEST"
# A registration takes less than a second.
_PATIENCE_SECONDS = 30.0
_REQUIREMENTS = ("catboost", "numpy")


@dataclass(frozen=True)
class Evidence:
    """What is recorded beside the model; one that misses a floor is no champion by being first.

    `requests` are bodies that the API takes, of rows of the test. `recipe` is a hash of all that
    the model was made of.
    """

    params: Mapping[str, Any]
    metrics: Mapping[str, Interval]
    folds: Mapping[str, Mapping[str, Any]]
    floors: tuple[Check, ...]
    requests: Sequence[Mapping[str, Any]]
    dataset: Dataset
    trials: Sequence[Trial]
    selection: Selection | None
    warnings: Sequence[str]
    recipe: str
    reference: Reference


@dataclass(frozen=True)
class Registered:
    """Where a model stands in the registry; the first that reaches its floors is the champion."""

    name: str
    version: int
    run_id: str
    is_champion: bool


def check_registry(settings: Settings) -> None:
    """Returns where a registry that was named answers: not after hours of a search.

    Raises:
        RegistryError: it does not.
    """
    if settings.mlflow_uri is not None:
        with model_registry(settings.tracking_uri) as client:
            client.search_registered_models(max_results=1)


def assert_new(settings: Settings, name: str, recipe: str) -> None:
    """Returns where no version of the model was made of the same.

    Raises:
        AlreadyTrainedError: one was; it is the challenger now unless a later one is.
        RegistryError: MLflow does not answer.
    """
    with model_registry(settings.tracking_uri) as client:
        wanted = f"name = '{name}' and tags.{_RECIPE} = '{recipe}'"
        versions = [int(found.version) for found in client.search_model_versions(wanted)]
        if not versions:
            return
        (model,) = _found(client, name)
        # Whoever registered it may have been ended before it got its alias.
        if max(versions) > int(model.aliases.get(CHALLENGER, 0)):
            client.set_registered_model_alias(name, CHALLENGER, str(max(versions)))
    raise AlreadyTrainedError.as_version(name, max(versions))


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
        PromotionError: others are registering the first model of that name for too long.
    """
    settings.home_dir.mkdir(parents=True, exist_ok=True)
    with model_registry(settings.tracking_uri) as client:
        name = predictor.artefact.use_case
        experiment_id = _experiment_id(client, settings, name)
        run_id, model_uri = _log_run(settings, experiment_id, predictor, example, scored, evidence)
        missed = [check for check in evidence.floors if not check.holds]
        tags = {_RECIPE: evidence.recipe}
        return _make_challenger(client, name, run_id, model_uri, missed, tags)


def _experiment_id(client: MlflowClient, settings: Settings, name: str) -> str:
    """The experiment's id; it is made where there is none, perhaps by somebody else just now."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    try:
        return client.create_experiment(name, artifact_location=_artifacts(settings))
    except MlflowException as error:
        if error.error_code != _TAKEN:
            raise
    return _experiment_id(client, settings, name)


def _artifacts(settings: Settings) -> str | None:
    """Where a new experiment keeps its artefacts; None where a tracking server knows."""
    if settings.mlflow_artifacts:
        return settings.mlflow_artifacts
    if settings.tracking_uri.startswith(_SERVERS):
        return None
    # Without a place MLflow would take the working directory for a database's artefacts.
    return (settings.home_dir / _ARTIFACTS).as_uri()


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
        mlflow.log_dict(evidence.reference.as_json(), REFERENCE_FILE)
        if evidence.selection is not None:
            mlflow.log_dict(asdict(evidence.selection), "selection.json")
        _log_trials(evidence.trials, experiment_id, scored.use_case.task.worth_name)
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
    from mlflow.exceptions import MlflowException

    digest = str(dataset.receipt["content_hash"])[:36]
    source = CodeDatasetSource({"lake": lake, "fingerprint": dataset.fingerprint})
    described = MetaDataset(source, name="training", digest=digest)  # type: ignore[abstract]  # theirs
    try:
        mlflow.log_input(described, context="training")
    except MlflowException as error:
        if error.error_code != _REFUSED:
            raise
        # Another run of the same rows was first, between MLflow's look and its insert.
        mlflow.log_input(described, context="training")
    mlflow.log_dict({**dataset.receipt, "fingerprint": dataset.fingerprint}, "dataset.json")


def _log_trials(trials: Sequence[Trial], experiment_id: str, worth_name: str) -> None:
    import mlflow

    for trial in trials:
        name = f"trial {trial.number}"
        with mlflow.start_run(experiment_id=experiment_id, nested=True, run_name=name):
            mlflow.log_params(dict(trial.values))
            mlflow.log_metrics({worth_name: trial.score, "trees": trial.trees})
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
            "requests": list(evidence.requests),
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
    target = predictor.artefact.target
    kind = DataType.long if isinstance(target, ClassTarget) else DataType.double
    outputs: list[ColSpec | TensorSpec] = [ColSpec(kind)]
    return ModelSignature(inputs=Schema(columns), outputs=Schema(outputs))


def _make_challenger(
    client: MlflowClient,
    name: str,
    run_id: str,
    model_uri: str,
    missed: Sequence[Check],
    tags: dict[str, str],
) -> Registered:
    with _alone_if_first(client, name):
        is_first = not _has_champion(client, name) and not missed
        if not _found(client, name):
            client.create_registered_model(name)
        # A server takes no model's own address for a source unless it is told whose it is.
        model_id = model_uri.removeprefix("models:/")
        created = client.create_model_version(
            name, source=model_uri, run_id=run_id, model_id=model_id, tags=tags
        )
        client.set_registered_model_alias(name, CHALLENGER, created.version)
        if missed:
            found = "; ".join(f"{check.name}: {check.found}" for check in missed)
            client.set_model_version_tag(name, created.version, "misses", found)
        if is_first:
            client.set_model_version_tag(name, created.version, "promotion", "first of its name")
            client.set_registered_model_alias(name, CHAMPION, created.version)
    return Registered(name, int(created.version), run_id, is_first)


def _alone_if_first(client: MlflowClient, name: str) -> AbstractContextManager[None]:
    """While there is no champion, one registration after another: else two would become it."""
    if _has_champion(client, name):
        return nullcontext()
    return promotion_lock(client, name, patience_seconds=_PATIENCE_SECONDS)


def _has_champion(client: MlflowClient, name: str) -> bool:
    return any(CHAMPION in model.aliases for model in _found(client, name))


def _found(client: MlflowClient, name: str) -> Sequence[RegisteredModel]:
    return client.search_registered_models(filter_string=f"name = '{name}'")
