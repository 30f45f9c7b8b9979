"""What one looks at before a model is trusted; each plot has its numbers from `evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lockstep.contract.model_input import model_input
from lockstep.contract.predictor import Predictor
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.evaluate import ScoredRows
from training.metrics import reliability
from training.use_case import LABEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_FEATURES = 20
_SHAP_ROWS = 2_000
_SIZE_INCHES = (6.4, 4.0)
_DRIFT = (0.5, 0.9, 0.99)


def figures(predictor: Predictor, scored: ScoredRows) -> dict[str, Figure]:
    """Plots by name, of the test rows only."""
    return {
        "precision_recall": _figure(_precision_recall, scored),
        "roc": _figure(_roc, scored),
        "reliability": _figure(_reliability, scored),
        "cost": _figure(_cost, scored),
        "score_by_day": _figure(_score_by_day, scored),
        "importance": _figure(_importance, predictor),
        "shap": _figure(_shap, (predictor, scored)),
    }


def _figure(draw: Any, of: Any) -> Figure:
    # Not pyplot: it keeps every figure, and picks a window system.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    draw(figure.subplots(), of)
    return figure


def _precision_recall(axes: Axes, scored: ScoredRows) -> None:
    points = scored.ranked.points()
    axes.plot(points.recall, points.precision)
    axes.axhline(float(scored.labels.mean()), color="grey", linestyle=":", label="base rate")
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", ylim=(0, 1.02))
    axes.legend()


def _roc(axes: Axes, scored: ScoredRows) -> None:
    points = scored.ranked.points()
    axes.plot(points.false_positive_rate, points.recall)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="share of genuine rows flagged", ylabel="recall", title="ROC")


def _reliability(axes: Axes, scored: ScoredRows) -> None:
    bins = reliability(scored.labels, scored.scores)
    axes.plot([score for score, _, _ in bins], [share for _, share, _ in bins], marker="o")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="mean score", ylabel="share of positives", title="Reliability")


def _cost(axes: Axes, scored: ScoredRows) -> None:
    points = scored.ranked.points()
    axes.plot(points.thresholds, scored.costs.curve(points))
    axes.axvline(scored.threshold, color="grey", linestyle=":", label="chosen on validation")
    unit = scored.costs.unit
    axes.set(xlabel="threshold", ylabel=f"cost in {unit}", title="Cost of deciding", yscale="log")
    axes.legend()


def _score_by_day(axes: Axes, scored: ScoredRows) -> None:
    """Scores that move from day to day move away from what the model was fitted on."""
    day = pl.col(EVENT_TIMESTAMP).dt.date().alias("day")
    scores = scored.rows.select(day).with_columns(pl.Series("score", scored.scores))
    quantiles = [pl.col("score").quantile(q).alias(f"quantile {q}") for q in _DRIFT]
    by_day = scores.group_by("day").agg(quantiles).sort("day")
    for name in by_day.columns[1:]:
        axes.plot(by_day["day"].to_list(), by_day[name].to_list(), marker="o", label=name)
    axes.set(ylabel="score", title="Scores by day", yscale="log")
    axes.tick_params(axis="x", rotation=30)
    axes.legend()


def _importance(axes: Axes, predictor: Predictor) -> None:
    values = predictor.model.get_feature_importance()
    order = np.argsort(values)[-_MOST_FEATURES:]
    axes.barh([predictor.artefact.feature_order[at] for at in order], values[order])
    axes.set(xlabel="change of the prediction, % of all", title="Importance")


def _shap(axes: Axes, of: tuple[Predictor, ScoredRows]) -> None:
    """Each dot is a row: how far right, how much its value pushed the score up."""
    predictor, scored = of
    names = predictor.artefact.feature_order
    rows = _some(scored.rows)
    matrix = model_input(rows.select(names).to_dict(), names)
    pushes = predictor.model.get_feature_importance(_pool(matrix, names), type="ShapValues")[:, :-1]
    order = np.argsort(np.abs(pushes).mean(axis=0))[-_MOST_FEATURES:]
    for place, at in enumerate(order):
        ranks = pl.Series(matrix[:, at]).fill_nan(None).rank().fill_null(0).to_numpy()
        jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(ranks))
        axes.scatter(pushes[:, at], place + jitter, c=ranks, s=2, cmap="coolwarm")
    axes.set_yticks(range(len(order)), [names[at] for at in order])
    axes.set(xlabel="push on the log odds", title="SHAP values: blue low, red high")


def _some(rows: pl.DataFrame) -> pl.DataFrame:
    """All positives that fit, and evenly spaced others."""
    positives = rows.filter(pl.col(LABEL) == 1).head(_SHAP_ROWS // 2)
    others = rows.filter(pl.col(LABEL) == 0)
    step = max(1, others.height // (_SHAP_ROWS - positives.height))
    return pl.concat([positives, others.gather_every(step)])


def _pool(matrix: Any, names: Sequence[str]) -> Any:
    from catboost import Pool

    return Pool(matrix, feature_names=list(names))
