"""What one looks at of any model before it is trusted; each kind of task adds its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lockstep.contract.model_input import model_input
from lockstep.contract.predictor import Predictor
from lockstep.contract.targets import QuantileTarget
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.scored_rows import ScoredRows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_FEATURES = 20
_SHAP_ROWS = 2_000
_SIZE_INCHES = (6.4, 4.0)
_DRIFT = (0.5, 0.9, 0.99)


def figures(predictor: Predictor, scored: ScoredRows) -> dict[str, Figure]:
    """Plots by name, of the test rows only; those of the kind of task come first."""
    return {
        **scored.figures(),
        "score_by_day": figure(_score_by_day, scored),
        "importance": figure(_importance, predictor),
        "shap": figure(_shap, (predictor, scored)),
    }


def figure(draw: Callable[[Axes, Any], None], of: Any) -> Figure:
    """One plot."""
    # Not pyplot: it keeps every figure, and picks a window system.
    from matplotlib.figure import Figure

    drawn = Figure(figsize=_SIZE_INCHES, layout="constrained")
    draw(drawn.subplots(), of)
    return drawn


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
    rows = _some(scored)
    matrix = model_input(rows.select(names).to_dict(), names)
    pushes = predictor.model.get_feature_importance(_pool(matrix, names), type="ShapValues")
    pushes = _of_score(predictor, np.asarray(pushes))[:, :-1]
    order = np.argsort(np.abs(pushes).mean(axis=0))[-_MOST_FEATURES:]
    for place, at in enumerate(order):
        ranks = pl.Series(matrix[:, at]).fill_nan(None).rank().fill_null(0).to_numpy()
        jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(ranks))
        axes.scatter(pushes[:, at], place + jitter, c=ranks, s=2, cmap="coolwarm")
    axes.set_yticks(range(len(order)), [names[at] for at in order])
    axes.set(xlabel="push, as the model was fitted", title="SHAP values: blue low, red high")


def _of_score(predictor: Predictor, pushes: Any) -> Any:
    """Of several outputs those of the median, or of the first class that is not neutral."""
    target = predictor.artefact.target
    if target.width == 1:
        return pushes
    return pushes[:, target.median if isinstance(target, QuantileTarget) else 1]


def _some(scored: ScoredRows) -> pl.DataFrame:
    """What has the highest scores, and evenly spaced others."""
    order = np.argsort(-scored.scores, kind="stable")
    top, others = order[: _SHAP_ROWS // 4], order[_SHAP_ROWS // 4 :]
    step = max(1, len(others) // (_SHAP_ROWS - len(top)))
    return scored.rows[np.concatenate([top, others[::step]])]


def _pool(matrix: Any, names: Sequence[str]) -> Any:
    from catboost import Pool

    return Pool(matrix, feature_names=list(names))
