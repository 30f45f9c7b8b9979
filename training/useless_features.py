"""Features from which no model can learn."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def useless_features(rows: pl.DataFrame, feature_order: Sequence[str]) -> tuple[str, ...]:
    """A warning for each feature that is null, or has the same value, in every row."""
    warnings = []
    for name in feature_order:
        values = rows[name]
        if values.null_count() == len(values):
            warnings.append(f"feature {name!r} is null in every training row")
        elif values.n_unique() == 1:
            warnings.append(f"feature {name!r} is {values[0]} in every training row")
    return tuple(warnings)
