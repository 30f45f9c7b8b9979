"""One trial of a search: a fit that is judged, and perhaps ended, by the validation fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lockstep.contract.model_input import model_input
from training.fit import FitParameters, boosted
from training.metrics import average_precision
from training.operating_points import Floats, Labels, RankedScores
from training.search import CHECKPOINT, Hopeless, with_values
from training.trial_log import Trial
from training.use_case import LABEL


@dataclass(frozen=True)
class Part:
    """(rows, features), null as NaN; and the labels."""

    matrix: Floats
    labels: Labels

    @classmethod
    def of(cls, rows: pl.DataFrame, feature_order: Sequence[str]) -> Part:
        """Of rows with their features."""
        matrix = model_input(rows.select(feature_order).to_dict(), feature_order)
        return cls(matrix, rows.get_column(LABEL).to_numpy())

    def pool(self, names: Sequence[str]) -> Any:
        """As CatBoost takes it."""
        from catboost import Pool

        return Pool(self.matrix, label=self.labels, feature_names=list(names))


@dataclass(frozen=True)
class SearchFold:
    """Train and validation rows as matrices, which other processes take along."""

    names: tuple[str, ...]
    train: Part
    validation: Part
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
            tuple(feature_order),
            Part.of(train, feature_order),
            Part.of(validation, feature_order),
            parameters,
        )

    def evaluate(self, number: int, values: Mapping[str, float], is_hopeless: Hopeless) -> Trial:
        """Fits with `values` and judges the model on the validation fold."""
        watch = _Watch(is_hopeless)
        chosen = with_values(self.parameters, values)
        validation = self.validation.pool(self.names)
        model = boosted(self.train.pool(self.names), validation, chosen, watch.on_tree)
        scores = model.predict_proba(validation)[:, 1]
        score = average_precision(RankedScores(self.validation.labels, scores).points())
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
