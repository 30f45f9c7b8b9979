"""A day's events scored offline into the lake, as the API would score each of them at its T."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.contract.registered_model import RegisteredModel, load_model
from lockstep.contract.scored_events import ScoredEvents
from lockstep.contract.status import FeatureStatus, computed_status
from lockstep.contract.status_policy import REJECTED
from lockstep.contract.targets import Floats
from lockstep.errors import LockstepError
from lockstep.lake.facts import live_rows, require_whole
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.view_query import STATUS_SUFFIX
from lockstep.use_cases import load_use_case
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from training.dataset import Dataset, join_features

if TYPE_CHECKING:
    from feast import FeatureStore

# Told what is being done, and the share of all that is done, from 0 to 1.
Progress = Callable[[str, float], None]


class ScoringError(LockstepError):
    """A day that cannot be scored; its partition is what it was."""

    @classmethod
    def no_events(cls, table: str, day: date) -> ScoringError:
        return cls(
            f"all rows of table {table!r} on {day} were taken back",
            next_step="choose another --date",
        )

    @classmethod
    def unknown_features(
        cls, model: RegisteredModel, service: str, names: set[str]
    ) -> ScoringError:
        return cls(
            f"model {model.name!r} version {model.version} reads {sorted(names)[:5]}, which "
            f"feature service {service!r} does not offer",
            next_step="apply the definitions that the model was trained on, or train again",
        )


@dataclass(frozen=True)
class ScoredDay:
    """What was written: so many rows, in the table at `address`.

    `decisions` counts what was decided, `statuses` the values that are not PRESENT.
    """

    day: date
    address: str
    model: str
    version: int
    rows: int
    decisions: Mapping[str, int]
    statuses: Mapping[str, int]


def score_day(
    settings: Settings,
    store: FeatureStore,
    use_case: str,
    day: date,
    *,
    version: int | None = None,
    progress: Progress,
) -> ScoredDay:
    """Scores all events of a UTC day and replaces that day of `<use_case>/scored`.

    By the champion, unless a `version` is named. The same model on the same lake writes the
    same bytes again.

    Raises:
        UseCaseError: there is none of that name.
        LakeError: the lake has no events of that day.
        ScoringError: all of them were taken back, or the model reads other features.
        NoModelError: there is no champion, or not that version.
        TrainingError: the model's feature service was not applied, or its tables are not built
            up to the end of the day's events.
        RegistryError: MLflow does not answer.
    """
    events: ScoredEvents = load_use_case(
        "lockstep.contract", use_case, entry="SCORED_EVENTS"
    ).SCORED_EVENTS
    lake = Lake.at(settings.lake)
    progress(f"reading the events of {day}", 0.0)
    rows = events_of(lake, events, day)
    progress("loading the model", 0.1)
    model = load_model(settings.tracking_uri, use_case, version=version)
    progress(f"joining features onto {rows.height:,} rows", 0.3)
    dataset = join_features(
        store,
        rows,
        feature_service=model.predictor.artefact.feature_service,
        row_id=events.row_id,
        with_statuses=True,
    )
    progress("scoring", 0.8)
    scored = predictions(model, events, dataset)
    table = lake.table(f"{use_case}/scored")
    table.write_day(day, scored)
    return _summary(scored, model, events, day, table.address)


def events_of(lake: Lake, events: ScoredEvents, day: date) -> pl.DataFrame:
    """The newest version of each event of the day, with T and the request's columns, by T and id.

    Raises:
        LakeError: the lake has no such day, or a part of it only.
        ScoringError: all events were taken back.
    """
    table = lake.table(events.table)
    require_whole(table)
    # A correction that moves an event to another day is a deletion here: one day tells all.
    live = live_rows(table.read_day(day).lazy(), [events.row_id]).select(
        events.row_id,
        *events.entity_keys,
        events.t(),
        CREATED_TIMESTAMP,
        *events.request_columns,
        events.t().dt.timestamp("us").alias(events.time_column),
    )
    rows = live.sort(EVENT_TIMESTAMP, events.row_id).collect()
    if rows.is_empty():
        raise ScoringError.no_events(events.table, day)
    return rows


def predictions(model: RegisteredModel, events: ScoredEvents, dataset: Dataset) -> pl.DataFrame:
    """One row a row of `dataset`: the score and what it means, then each feature and its status.

    A row with a status that the service rejects has no score, as in the API.

    Raises:
        ScoringError: the model reads what the dataset lacks.
        TargetError: the model predicts something else than is decided here.
    """
    predictor = model.predictor
    order, rows = predictor.artefact.feature_order, dataset.rows
    if lacking := set(order) - set(dataset.feature_order):
        service = predictor.artefact.feature_service
        raise ScoringError.unknown_features(model, service, lacking)
    target = predictor.artefact.target
    target.check_decisions(events.decisions)
    outputs = predictor.outputs(rows.select(order).to_dict())
    rejected, decided = dataset.rejected(), target.decided(outputs).tolist()
    decisions = [
        REJECTED if is_rejected else events.decision(number)
        for number, is_rejected in zip(decided, rejected.tolist(), strict=True)
    ]
    return rows.select(
        events.row_id,
        *events.entity_keys,
        EVENT_TIMESTAMP,
        CREATED_TIMESTAMP,
        pl.when(~pl.Series(rejected)).then(pl.Series(target.scores(outputs))).alias("score"),
        pl.Series("decision", decisions, pl.String),
        _several(outputs, rejected),
        pl.lit(predictor.artefact.threshold, pl.Float64).alias("threshold"),
        pl.lit(model.version, pl.Int64).alias("model_version"),
        *(column for name in order for column in (pl.col(name), _status(name, rows))),
    )


def _several(outputs: Floats, rejected: NDArray[np.bool_]) -> pl.Series:
    """All numbers of a model that answers with several; null where the score is all."""
    is_single = outputs.shape[1] == 1
    cells = [
        None if is_single or is_rejected else row
        for row, is_rejected in zip(outputs.tolist(), rejected.tolist(), strict=True)
    ]
    return pl.Series("outputs", cells, pl.List(pl.Float64))


def _status(name: str, rows: pl.DataFrame) -> pl.Expr:
    """That of the join; what an on-demand function computed has none there."""
    column = f"{name}{STATUS_SUFFIX}"
    if column in rows.columns:
        return pl.col(column).cast(pl.String)
    null, present = (pl.lit(computed_status(is_null=is_null).value) for is_null in (True, False))
    return pl.when(pl.col(name).is_null()).then(null).otherwise(present).alias(column)


def _summary(
    scored: pl.DataFrame, model: RegisteredModel, events: ScoredEvents, day: date, address: str
) -> ScoredDay:
    counts: Counter[str] = Counter()
    for name in scored.columns:
        if name.endswith(STATUS_SUFFIX):
            counts.update(dict(scored.get_column(name).value_counts().iter_rows()))
    del counts[FeatureStatus.PRESENT]
    decided = Counter(scored.get_column("decision").to_list())
    return ScoredDay(
        day=day,
        address=address,
        model=model.name,
        version=model.version,
        rows=scored.height,
        decisions={name: decided[name] for name in (*events.decisions, REJECTED) if decided[name]},
        statuses={status: counts[status] for status in FeatureStatus if counts[status]},
    )
