"""What decisions cost, declared once a use case; the threshold follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from training.operating_points import Bools, Floats, Labels, OperatingPoints


@dataclass(frozen=True)
class DecisionCosts:
    """In one unit of money: of blocking a genuine row, and of missing a positive one.

    `missed` is the column with the cost of missing that row, `wrong_block` the same for all.
    """

    unit: str
    wrong_block: float
    missed: str

    def of_missing(self, rows: pl.DataFrame) -> Floats:
        """(rows,) what each row costs if it is positive and not blocked."""
        return rows.get_column(self.missed).cast(pl.Float64).to_numpy()

    def curve(self, points: OperatingPoints) -> Floats:
        """(points,) the cost of deciding at each threshold."""
        wrong = points.flagged - points.hits
        missed = points.caught_cost[-1] - points.caught_cost
        return np.asarray(missed + self.wrong_block * wrong)

    def threshold(self, points: OperatingPoints) -> float:
        """The cheapest threshold; the higher one when two cost the same.

        Only to be asked for a validation fold: a threshold chosen on the test would make
        its own test look good.
        """
        return float(points.thresholds[np.argmin(self.curve(points))])

    def saved_share(
        self, rows: pl.DataFrame, labels: Labels, flagged: Bools, weights: Floats
    ) -> float:
        """The share of the cost of flagging nothing that flagging these saves; below 0 it costs.

        NaN where nothing positive was there to be missed.
        """
        missing = weights * labels * self.of_missing(rows)
        everything = missing.sum()
        if not everything:
            return float("nan")
        wrong = self.wrong_block * (weights * (1 - labels))[flagged].sum()
        return float((missing[flagged].sum() - wrong) / everything)
