"""One request to a score: features read at T, completed, and put before the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockstep.contract.registered_model import RegisteredModel
from lockstep.stores.online_read import FeatureValue, ViewRead, statuses
from lockstep.stores.online_reader import OnlineReader
from lockstep.windows.microseconds import instant_at, microseconds
from serving.errors import FutureFeaturesError, NotMaterializedError
from serving.feature_plan import FeaturePlan


@dataclass(frozen=True)
class Scored:
    """A score and the features that it came from, in the model's order."""

    score: float
    is_positive: bool
    features: dict[str, FeatureValue]


@dataclass(frozen=True)
class Scorer:
    """A model with the features of its own service."""

    served: RegisteredModel
    plan: FeaturePlan
    reader: OnlineReader

    async def score(
        self, entity_ids: Mapping[str, int], request_values: Mapping[str, Any], t: datetime
    ) -> Scored:
        """The score at T; an entity that was never written scores with nulls.

        Raises:
            NotMaterializedError: Redis holds nothing of a view of the model.
            FutureFeaturesError: the online store holds a step that was not known at T.
            StoreUnavailableError: Redis does not answer.
        """
        t_us = microseconds(t)
        (reads,) = await self.reader.read([entity_ids], [t_us])
        _refuse_unmaterialized(reads)
        _refuse_future(reads, t, t_us)
        values = self.plan.values(statuses(reads.values(), t_us), request_values)
        predictor = self.served.predictor
        features = {name: values[name] for name in predictor.artefact.feature_order}
        columns = {name: [feature.value] for name, feature in features.items()}
        score = float(predictor.scores(columns)[0])
        return Scored(score, predictor.is_positive(score), features)


def _refuse_unmaterialized(reads: Mapping[str, ViewRead]) -> None:
    if lost := [view for view, read in reads.items() if read.horizon_us is None]:
        raise NotMaterializedError.views(lost)


def _refuse_future(reads: Mapping[str, ViewRead], t: datetime, t_us: int) -> None:
    for view, read in reads.items():
        known_from_us = read.known_from_us
        if known_from_us is not None and known_from_us > t_us:
            raise FutureFeaturesError.at(view, t, instant_at(known_from_us))
