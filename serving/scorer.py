"""Rows to scores: features read at T, completed, and put before the model; many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockstep.contract.registered_model import RegisteredModel
from lockstep.contract.status import FeatureStatus
from lockstep.contract.status_policy import StatusPolicy
from lockstep.contract.targets import Floats
from lockstep.stores.feature_vectors import NO_TIME, STATUSES, FeatureVectors
from lockstep.stores.online_reader import OnlineReader
from lockstep.windows.microseconds import SECOND_US, instant_at
from serving.errors import (
    DefinitionsError,
    FutureFeaturesError,
    NotMaterializedError,
    RejectedStatusError,
    ServingError,
)
from serving.feature_json import FeatureJson
from serving.fresh_reads import FreshReads
from serving.log_schema import log_schema
from serving.plan import PlannedFeature, PlannedFunction, ServicePlan
from serving.rows import Asked, Read, Scored
from serving.served_rows import LogSchema

_PRESENT = STATUSES.index(FeatureStatus.PRESENT)
_NULL = STATUSES.index(FeatureStatus.NULL)
_FUTURE = STATUSES.index(FeatureStatus.FUTURE)


@dataclass(frozen=True)
class Scorer:
    """A model with the features of its own service.

    `timed` gets the seconds of Redis and those of functions and model, for each batch. `fresh`
    reads for rows that bring one of their windows' source.
    """

    served: RegisteredModel
    plan: ServicePlan
    reader: OnlineReader
    timed: Callable[[float, float], None] = lambda redis_seconds, model_seconds: None
    fresh: FreshReads | None = None

    def __post_init__(self) -> None:
        self._functions  # noqa: B018  a function that is not installed is found before a request

    async def score(self, asked: Asked) -> Scored:
        """The scores at T; an entity that was never written scores with nulls.

        Raises:
            NotMaterializedError: Redis holds nothing of a view of the model.
            StoreUnavailableError: Redis does not answer.
        """
        started = perf_counter()
        stored = await self.read(asked)
        was_read = perf_counter()
        read = self._completed(stored, asked)
        outputs = self.served.predictor.row_outputs(self.model_rows(read))
        self.timed(was_read - started, perf_counter() - was_read)
        target = self.served.predictor.artefact.target
        return Scored(
            read,
            outputs,
            target.scores(outputs),
            target.decided(outputs),
            {**dict(self._refusals(stored, read, asked.t_us)), **stored.refused},
        )

    async def read(self, asked: Asked) -> Read:
        """What the online store holds for these entities at T, or would with what rows bring.

        Raises:
            NotMaterializedError: Redis holds nothing of a view of the model.
            StoreUnavailableError: Redis does not answer.
        """
        if asked.fresh and self.fresh:
            return await self.fresh.read(asked, self._stored)
        return await self._stored(asked)

    async def close(self) -> None:
        """Ends the connections."""
        await self.reader.close()
        if self.fresh:
            await self.fresh.reader.close()

    async def _stored(self, asked: Asked) -> Read:
        vectors = await self.reader.vectors(asked.entities, asked.t_us)
        _refuse_unmaterialized(self.plan, vectors)
        ages = self._ages(vectors, asked.t_us)
        event_us = vectors.event_us.take(self._view_of_feature, axis=1)
        return Read(self.plan.stored, vectors.values, vectors.codes, ages, event_us)

    def model_rows(self, read: Read) -> Floats:
        """The model's features in its order."""
        return read.values.take(self._model_columns, axis=1)

    @cached_property
    def policy(self) -> StatusPolicy:
        """What the service declares about statuses."""
        return StatusPolicy.of(self.plan.policy)

    @cached_property
    def _position(self) -> dict[str, int]:
        return {feature.name: column for column, feature in enumerate(self.plan.features)}

    @cached_property
    def _model_columns(self) -> NDArray[np.intp]:
        order = self.served.predictor.artefact.feature_order
        return np.array([self._position[name] for name in order], np.intp)

    @cached_property
    def shown(self) -> list[tuple[int, PlannedFeature]]:
        """The model's features in its order, each with its column."""
        return [(column, self.plan.features[column]) for column in self._model_columns.tolist()]

    @cached_property
    def model_json(self) -> FeatureJson:
        """Writes the model's features in its order."""
        return FeatureJson(self.shown)

    @cached_property
    def stored_json(self) -> FeatureJson:
        """Writes what the online store holds."""
        return FeatureJson(list(enumerate(self.plan.stored)), with_views=True)

    @cached_property
    def log_schema(self) -> LogSchema:
        """How the feature log has what this scores."""
        return log_schema(self.served.predictor.artefact.use_case, self.plan)

    @cached_property
    def listed_stored(self) -> NDArray[np.intp]:
        """Columns of the service's features that are read, not computed."""
        return np.flatnonzero(~self._is_computed)

    @cached_property
    def _listed_computed(self) -> NDArray[np.intp]:
        return np.flatnonzero(self._is_computed)

    @cached_property
    def _is_computed(self) -> NDArray[np.bool_]:
        return np.array([f.name in self.plan.computed for f in self.plan.features], np.bool_)

    @cached_property
    def _sources(self) -> NDArray[np.intp]:
        """Where these columns are in what is read."""
        places = {feature.name: place for place, feature in enumerate(self.plan.stored)}
        names = [self.plan.features[column].name for column in self.listed_stored.tolist()]
        return np.array([places[name] for name in names], np.intp)

    @cached_property
    def _functions(self) -> list[tuple[PlannedFunction, Callable[[Any], Any]]]:
        return [(planned, planned.load()) for planned in self.plan.functions]

    @cached_property
    def _view_of_feature(self) -> NDArray[np.intp]:
        views = [view.name for view in self.plan.reads.views]
        return np.array([views.index(feature.view) for feature in self.plan.stored], np.intp)

    def _ages(self, vectors: FeatureVectors, t_us: Sequence[int]) -> Floats:
        horizons = np.array(vectors.horizons, np.float64)
        ages = np.subtract.outer(np.asarray(t_us, np.float64), horizons) / SECOND_US
        return np.maximum(ages, 0.0).take(self._view_of_feature, axis=1)

    def _completed(self, stored: Read, asked: Asked) -> Read:
        """The service's features in its order: those that were read and those computed."""
        shape = (len(asked.t_us), len(self.plan.features))
        values, codes, ages = np.empty(shape), np.empty(shape, np.uint8), np.zeros(shape)
        event_us = np.full(shape, NO_TIME)
        listed, sources = self.listed_stored, self._sources
        values[:, listed] = stored.values.take(sources, axis=1)
        codes[:, listed] = stored.codes.take(sources, axis=1)
        ages[:, listed] = stored.ages.take(sources, axis=1)
        event_us[:, listed] = stored.event_us.take(sources, axis=1)
        for name, computed in self._computed(stored, asked).items():
            values[:, self._position[name]] = computed
        nulls = np.isnan(values.take(self._listed_computed, axis=1))
        codes[:, self._listed_computed] = np.where(nulls, _NULL, _PRESENT)
        if self.policy.defaults:
            values[:, listed] = self.policy.treated(values[:, listed], codes[:, listed])
        return Read(self.plan.features, values, codes, ages, event_us)

    def _computed(self, stored: Read, asked: Asked) -> dict[str, Any]:
        if not self._functions:
            return {}
        columns: dict[str, Any] = {}
        for feature, column in zip(stored.features, _columns(stored), strict=True):
            # By both names, as the offline join hands them over.
            columns[feature.name] = columns[f"{feature.view}__{feature.name}"] = column
        columns |= {name: np.asarray(values) for name, values in asked.request.items()}
        lists: dict[str, list[Any]] = {}
        computed: dict[str, Any] = {}
        for planned, function in self._functions:
            if planned.takes_columns:
                outputs = function(columns)
            else:
                whole = {
                    name
                    for feature in stored.features
                    if feature.is_whole
                    for name in (feature.name, f"{feature.view}__{feature.name}")
                }
                lists = lists or {n: _listed(c, n in whole) for n, c in columns.items()}
                outputs = function(lists)
            computed |= {name: outputs[name] for name in planned.features}
        return computed

    def _refusals(
        self, stored: Read, read: Read, t_us: Sequence[int]
    ) -> list[tuple[int, ServingError]]:
        refused: list[tuple[int, ServingError]] = []
        future = (stored.codes == _FUTURE).any(axis=1)
        codes = read.codes[:, self.listed_stored]
        for row in np.flatnonzero(future | self.policy.rejects(codes)).tolist():
            if future[row]:
                column = int((stored.codes[row] == _FUTURE).argmax())
                view = stored.features[column].view
                refused.append((row, FutureFeaturesError.at(view, instant_at(t_us[row]))))
            else:
                found = {
                    self.plan.features[column].name: str(STATUSES[read.codes[row, column]])
                    for column in self.listed_stored.tolist()
                    if STATUSES[read.codes[row, column]] in self.policy.rejected
                }
                refused.append((row, RejectedStatusError.features(self.plan.name, found)))
        return refused


def plan_for(served: RegisteredModel, services: Mapping[str, ServicePlan]) -> ServicePlan:
    """The plan of the model's own service.

    Raises:
        DefinitionsError: it is not installed, means something else here, or offers other
            features.
    """
    artefact = served.predictor.artefact
    model, wanted = f"model {served.name!r} version {served.version}", artefact.feature_service
    if wanted not in services:
        raise DefinitionsError.unknown_service(model, wanted, services)
    plan = services[wanted]
    missing = set(artefact.feature_order) - {feature.name for feature in plan.features}
    if missing:
        raise DefinitionsError.unknown_features(model, wanted, missing)
    if plan.fingerprint != artefact.fingerprint:
        raise DefinitionsError.other_fingerprint(
            model, wanted, artefact.fingerprint, plan.fingerprint
        )
    return plan


def _columns(stored: Read) -> list[NDArray[Any]]:
    """As the offline join hands them over: whole numbers as such where none is null."""
    nulls = np.logical_or.reduce(np.isnan(stored.values), axis=0).tolist()
    return [
        values.astype(np.int64) if feature.is_whole and not has_null else values
        for feature, values, has_null in zip(stored.features, stored.values.T, nulls, strict=True)
    ]


def _listed(column: NDArray[Any], is_whole: bool) -> list[Any]:
    """As Feast hands it over: Python's numbers, None for null."""
    known = (None if value != value else value for value in column.tolist())
    return [int(v) if is_whole and v is not None else v for v in known]


def _refuse_unmaterialized(plan: ServicePlan, vectors: FeatureVectors) -> None:
    views = zip(plan.reads.views, vectors.horizons, strict=True)
    if lost := [view.name for view, horizon in views if horizon is None]:
        raise NotMaterializedError.views(lost)
