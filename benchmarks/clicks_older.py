"""The older system's models of clicks, on its own features without their leak.

It counted over the whole file, the future included. Here a count at T is of the clicks before T.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.operating_points import Floats, Labels

# What is counted alike with a click: by these columns and, where it says so, in its own hour.
_COUNTS = {
    "ip": ["ip"],
    "ip_day_hour": ["ip", "day_hour"],
    **{f"ip_hour_{key}": ["ip", "hour", key] for key in ("channel", "os", "app", "device")},
}
MODELS: Mapping[str, Callable[[], Any]] = {
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=1_000)
    ),
    "random forest": lambda: RandomForestClassifier(n_estimators=300, random_state=0, n_jobs=2),
}


def older_features(clicks: pl.DataFrame) -> pl.DataFrame:
    """`clicks`, all of them, with hour, weekday and counts of earlier ones; in their order.

    Clicks of the same instant do not count each other.
    """
    time = pl.col(EVENT_TIMESTAMP)
    rows = clicks.with_columns(
        hour=time.dt.hour(), weekday=time.dt.weekday() - 1, day_hour=time.dt.truncate("1h")
    )
    # The rank among equals is one more than how many come before all of them.
    before = time.rank("min") - 1
    counts = [before.over(keys).cast(pl.Int64).alias(f"n_{n}") for n, keys in _COUNTS.items()]
    return rows.with_columns(counts)


def older_names() -> list[str]:
    """The features that the older system read."""
    return ["weekday", "hour", *(f"n_{name}" for name in _COUNTS)]


def older_scores(model: str, fit: Floats, labels: Labels, test: Floats) -> Floats:
    """The scores of a fit on rows of features, null being -1."""
    fitted = MODELS[model]().fit(np.nan_to_num(fit, nan=-1.0), labels)
    return np.asarray(fitted.predict_proba(np.nan_to_num(test, nan=-1.0))[:, 1])
