"""Promotion in the registry: the same later days for both models, the decision on the version."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl

from lockstep.contract.instant import parse_instant
from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.model_registry import model_registry
from lockstep.contract.registered_model import RegisteredModel, load_model
from lockstep.lake.lake import Lake
from lockstep.parity.gate import parity_refusal
from lockstep.settings import Settings
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.dataset import join_features
from training.errors import AlreadyChampionError, PromotionError, TrainingError
from training.promotion import Decision, PromotionRules, decide
from training.promotion_lock import promotion_lock
from training.run import Progress, labelled_rows, scored_by
from training.scored_rows import ScoredRows
from training.use_case import UseCase

if TYPE_CHECKING:
    from feast import FeatureStore
    from mlflow import MlflowClient

    from lockstep.stores.visibility import Visibility

_PREVIOUS = "previous_champion"
_DECISION = "promotion"
# MLflow's tags hold 5,000 characters; the whole decision is an artefact of the run.
_TAG_LENGTH = 5_000
_CALLS = 200
# What the description of a fold says of the last instant that it knew.
_KNOWN = ("to", "labels_known_by")


@dataclass(frozen=True)
class PromoteOptions:
    """`version` is the challenger by default; `force` promotes a refused one, and says so.

    With `as_served` both models are judged on what the online store held at T. The last audit
    may have so many stale vectors, by default as many as its services declare.
    """

    version: int | None = None
    test_days: int = 7
    as_of: datetime | None = None
    rules: PromotionRules = field(default_factory=PromotionRules)
    force: bool = False
    as_served: Visibility | None = None
    max_stale_share: float | None = None


@dataclass(frozen=True)
class Promotion:
    """What was decided on which versions, and whether the champion is another one now.

    `champion` is None where there was none.
    """

    name: str
    champion: int | None
    challenger: int
    decision: Decision
    is_promoted: bool
    days: tuple[datetime, datetime]


def promote(
    settings: Settings,
    store: FeatureStore,
    use_case: UseCase,
    options: PromoteOptions,
    progress: Progress,
) -> Promotion:
    """Compares, decides, keeps the evidence, and moves the alias where all rules hold.

    Raises:
        AlreadyChampionError: there is nothing to compare.
        PromotionError: a model knew the days to compare on, or another promotion is under way.
        LockstepError: data, definitions or the registry do not allow it. The champion is
            then what it was.
    """
    name, uri = use_case.name, settings.tracking_uri
    with model_registry(uri) as client, promotion_lock(client, name):
        progress("loading models", 0.0)
        champion = _champion(client, uri, name)
        challenger = load_model(uri, name, version=options.version, alias=CHALLENGER)
        if champion is not None and champion.version == challenger.version:
            raise AlreadyChampionError.version(name, challenger.version)
        both = (challenger,) if champion is None else (champion, challenger)
        progress("reading labels", 0.1)
        rows = later_rows(
            settings,
            use_case,
            both,
            test_days=options.test_days,
            as_of=options.as_of,
        )
        progress(f"joining features onto {rows.height:,} rows", 0.2)
        *one, other = (
            scored_as(store, use_case, model, rows, as_served=options.as_served) for model in both
        )
        progress("comparing", 0.6)
        latency_ms = _latency_ms(challenger, other.rows)
        decision = decide(
            next(iter(one), None),
            other,
            options.rules,
            latency_ms=latency_ms,
            parity=parity_refusal(
                Lake.at(settings.lake),
                name,
                store.list_feature_services(),
                options.max_stale_share,
            ),
        )
        is_promoted = decision.is_promoted or options.force
        times = rows.get_column(EVENT_TIMESTAMP)
        promotion = Promotion(
            name,
            champion.version if champion else None,
            challenger.version,
            decision,
            is_promoted,
            (times.min(), times.max()),  # type: ignore[arg-type]  # they are instants
        )
        _record(client, promotion, options)
        return promotion


def _champion(client: MlflowClient, uri: str, name: str) -> RegisteredModel | None:
    """None where no version was ever good enough."""
    found = client.search_registered_models(filter_string=f"name = '{name}'")
    if not any(CHAMPION in model.aliases for model in found):
        return None
    return load_model(uri, name, alias=CHAMPION)


def roll_back(settings: Settings, use_case: UseCase) -> tuple[int, int]:
    """Makes the champion before this one champion again; which it was, and which it is.

    Raises:
        PromotionError: there was none before, or a promotion is under way.
        RegistryError: MLflow does not answer.
    """
    name = use_case.name
    with model_registry(settings.tracking_uri) as client, promotion_lock(client, name):
        champion = client.get_registered_model(name).aliases.get(CHAMPION)
        tags = client.get_model_version(name, champion).tags if champion else {}
        if _PREVIOUS not in tags:
            raise PromotionError.no_previous(name)
        previous = tags[_PREVIOUS]
        client.set_model_version_tag(name, champion, "rolled_back", datetime.now(UTC).isoformat())
        client.set_registered_model_alias(name, CHAMPION, previous)
        return int(champion), int(previous)


def later_rows(
    settings: Settings,
    use_case: UseCase,
    models: Sequence[RegisteredModel],
    *,
    test_days: int,
    as_of: datetime | None,
) -> pl.DataFrame:
    """The last `test_days` labelled days, of which no model's fit knew a label or a row.

    Raises:
        PromotionError: one knew; there are no later days.
        TrainingError: no label was known at `as_of`.
    """
    _, rows = labelled_rows(settings, use_case, as_of)
    end = rows.select(pl.col(EVENT_TIMESTAMP).max().dt.truncate("1d")).item() + timedelta(days=1)
    start = end - timedelta(days=test_days)
    for model in models:
        known_by = _fit_knew(model.metadata)
        if known_by >= start:
            texts = known_by.isoformat(), start.isoformat()
            raise PromotionError.not_later(model.name, model.version, *texts)
    return rows.filter(pl.col(EVENT_TIMESTAMP) >= start)


def _fit_knew(metadata: Mapping[str, Any]) -> datetime:
    """The last instant of which the fit had a row or a label."""
    folds = metadata.get("folds") or {}
    try:
        told = [folds[fold][what] for fold in ("train", "validation") for what in _KNOWN]
    except (KeyError, TypeError) as error:
        raise TrainingError.bad_option("the model's metadata", metadata, "folds") from error
    return max(map(parse_instant, told))


def scored_as(
    store: FeatureStore,
    use_case: UseCase,
    model: RegisteredModel,
    rows: pl.DataFrame,
    *,
    as_served: Visibility | None,
) -> ScoredRows:
    """The rows with the features and the scores of the model."""
    joined = join_features(
        store,
        rows,
        feature_service=model.predictor.artefact.feature_service,
        row_id=use_case.row_id,
        as_served=as_served,
    )
    return scored_by(model.predictor, joined.rows, use_case)


def _latency_ms(model: RegisteredModel, rows: pl.DataFrame) -> float:
    """The median of scoring one row, as the API does."""
    order = model.predictor.artefact.feature_order
    one = rows.head(1).select(order).to_dict(as_series=False)
    times = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        model.predictor.scores(one)
        times.append(time.perf_counter() - started)
    return median(times) * 1000


def _record(client: MlflowClient, promotion: Promotion, options: PromoteOptions) -> None:
    """Evidence first, the alias last: who reads the alias finds why it is there."""
    forced = options.force and not promotion.decision.is_promoted
    name, version = promotion.name, str(promotion.challenger)
    told = promotion.decision.as_json() | {
        "champion": promotion.champion,
        "challenger": promotion.challenger,
        "days": [day.isoformat() for day in promotion.days],
        "decided": datetime.now(UTC).isoformat(),
        "forced": forced,
        "as_served": options.as_served.label if options.as_served else None,
    }
    run_id = str(client.get_model_version(name, version).run_id)
    client.log_text(run_id, json.dumps(told, indent=2), f"promotion/{version}.json")
    short = {check.name: check.found for check in promotion.decision.checks}
    outcome = "forced" if forced else "promoted" if promotion.is_promoted else "refused"
    client.set_model_version_tag(name, version, _DECISION, outcome)
    client.set_model_version_tag(name, version, "evidence", json.dumps(short)[:_TAG_LENGTH])
    if promotion.is_promoted:
        if promotion.champion is not None:
            client.set_model_version_tag(name, version, _PREVIOUS, str(promotion.champion))
        client.set_registered_model_alias(name, CHAMPION, version)
