"""How two classes are told apart: what one looks at before such a model is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.metrics import reliability
from training.plots import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.tasks.two_classes import ScoredTwoClasses


def figures(scored: ScoredTwoClasses) -> dict[str, Figure]:
    """Plots by name."""
    return {
        "precision_recall": figure(_precision_recall, scored),
        "roc": figure(_roc, scored),
        "reliability": figure(_reliability, scored),
        "cost": figure(_cost, scored),
    }


def _precision_recall(axes: Axes, scored: ScoredTwoClasses) -> None:
    points = scored.ranked.points()
    axes.plot(points.recall, points.precision)
    axes.axhline(float(scored.labels.mean()), color="grey", linestyle=":", label="base rate")
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", ylim=(0, 1.02))
    axes.legend()


def _roc(axes: Axes, scored: ScoredTwoClasses) -> None:
    points = scored.ranked.points()
    axes.plot(points.false_positive_rate, points.recall)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="share of genuine rows flagged", ylabel="recall", title="ROC")


def _reliability(axes: Axes, scored: ScoredTwoClasses) -> None:
    bins = reliability(scored.labels, scored.scores)
    axes.plot([score for score, _, _ in bins], [share for _, share, _ in bins], marker="o")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="mean score", ylabel="share of positives", title="Reliability")


def _cost(axes: Axes, scored: ScoredTwoClasses) -> None:
    points, costs = scored.ranked.points(), scored.task.costs
    axes.plot(points.thresholds, costs.curve(points))
    axes.axvline(scored.target.threshold, color="grey", linestyle=":", label="chosen on validation")
    axes.set(
        xlabel="threshold", ylabel=f"cost in {costs.unit}", title="Cost of deciding", yscale="log"
    )
    axes.legend()
