"""One trial of a search: a fit that is judged, and perhaps ended, by the validation fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from training.fit import FitParameters, boosted, pool
from training.metrics import average_precision
from training.operating_points import Labels, RankedScores
from training.search import CHECKPOINT, Hopeless, with_values
from training.trial_log import Trial
from training.use_case import LABEL


@dataclass(frozen=True)
class SearchFold:
    """Train and validation rows as CatBoost takes them, made once for all trials."""

    train: Any
    validation: Any
    labels: Labels
    parameters: FitParameters

    @classmethod
    def of(
        cls,
        train: pl.DataFrame,
        validation: pl.DataFrame,
        feature_order: Sequence[str],
        parameters: FitParameters,
    ) -> SearchFold:
        """Of rows with their features; `parameters` are what no trial changes."""
        return cls(
            pool(train, feature_order),
            pool(validation, feature_order),
            validation.get_column(LABEL).to_numpy(),
            parameters,
        )

    def evaluate(self, number: int, values: Mapping[str, float], is_hopeless: Hopeless) -> Trial:
        """Fits with `values` and judges the model on the validation fold."""
        watch = _Watch(is_hopeless)
        chosen = with_values(self.parameters, values)
        model = boosted(self.train, self.validation, chosen, watch.on_tree)
        scores = model.predict_proba(self.validation)[:, 1]
        score = average_precision(RankedScores(self.labels, scores).points())
        return Trial(number, values, score, int(model.tree_count_), watch.curve, watch.is_ended)


@dataclass
class _Watch:
    """Ends a fit whose curve is hopeless."""

    is_hopeless: Hopeless
    curve: list[float] = field(default_factory=list)
    is_ended: bool = False

    def on_tree(self, done: int, best: float) -> bool:
        if done % CHECKPOINT == 0:
            self.curve.append(best)
            self.is_ended = self.is_hopeless(self.curve)
        return not self.is_ended
