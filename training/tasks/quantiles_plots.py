"""How far estimates lie from the truth, and how often their range holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.plots import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.tasks.quantiles import ScoredQuantiles

_BINS = 10


def figures(scored: ScoredQuantiles) -> dict[str, Figure]:
    """Plots by name."""
    return {
        "estimates": figure(_estimates, scored),
        "errors": figure(_errors, scored),
        "coverage": figure(_coverage, scored),
    }


def _estimates(axes: Axes, scored: ScoredQuantiles) -> None:
    axes.scatter(scored.labels, scored.scores, s=2, alpha=0.4)
    ends = [scored.labels.min(), scored.labels.max()]
    axes.plot(ends, ends, color="grey", linestyle=":")
    unit = scored.task.unit
    axes.set(xlabel=f"true, {unit}", ylabel=f"estimate, {unit}", title="Estimates")
    axes.set(xscale="log", yscale="log")


def _errors(axes: Axes, scored: ScoredQuantiles) -> None:
    ratios = np.clip(scored.scores / scored.labels - 1, -1, 1) * 100
    axes.hist(ratios, bins=60)
    axes.set(xlabel="estimate above the truth, % (cut at 100)", ylabel="rows", title="Errors")


def _coverage(axes: Axes, scored: ScoredQuantiles) -> None:
    """By size of the estimate, from the lowest tenth to the highest."""
    tenths = np.array_split(np.argsort(scored.scores, kind="stable"), _BINS)
    shares = [scored.covered[rows].mean() for rows in tenths if len(rows)]
    axes.plot(range(1, len(shares) + 1), shares, marker="o")
    axes.axhline(scored.nominal_coverage, color="grey", linestyle=":", label="should be")
    axes.set(xlabel="tenth of the estimates", ylabel="covered", title="Coverage", ylim=(0, 1.02))
    axes.legend()
