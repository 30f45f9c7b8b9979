"""How several classes are told apart, and what deciding by them earns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.metrics import reliability
from training.plots import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.tasks.several_classes import ScoredSeveralClasses


def figures(scored: ScoredSeveralClasses) -> dict[str, Figure]:
    """Plots by name."""
    return {
        "reliability": figure(_reliability, scored),
        "confusion": figure(_confusion, scored),
        "earned": figure(_earned, scored),
    }


def _reliability(axes: Axes, scored: ScoredSeveralClasses) -> None:
    for number, name in enumerate(scored.task.classes):
        bins = reliability((scored.labels == number).astype(np.int64), scored.outputs[:, number])
        means, shares = [mean for mean, _, _ in bins], [share for _, share, _ in bins]
        axes.plot(means, shares, marker="o", label=name)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="mean probability", ylabel="share of the class", title="Reliability")
    axes.legend()


def _confusion(axes: Axes, scored: ScoredSeveralClasses) -> None:
    names = scored.task.classes
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (scored.labels, scored.decided), 1)
    axes.imshow(counts, cmap="Blues")
    for (label, decided), count in np.ndenumerate(counts):
        color = "white" if count > counts.max() / 2 else "black"
        axes.text(decided, label, f"{count:,.0f}", ha="center", va="center", color=color)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="decided", ylabel="was", title="Decisions")


def _earned(axes: Axes, scored: ScoredSeveralClasses) -> None:
    """Each decision stakes the same: what is earned is summed, not compounded."""
    times = scored.rows[EVENT_TIMESTAMP].to_list()
    axes.plot(times, np.cumsum(scored.gained) * 100, label="decided")
    axes.axhline(0, color="grey", linestyle=":")
    axes.set(ylabel="earned after costs, % of one stake", title="Earned")
    axes.tick_params(axis="x", rotation=30)
    axes.legend()
