"""What drift is measured against: kept with every model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from lockstep.contract.model_input import model_input
from lockstep.parity.drift.profile import Profile
from lockstep.parity.drift.reference import Reference
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.scored_rows import ScoredRows

_SECONDS_A_DAY = 86_400


def reference_of(train: pl.DataFrame, features: Sequence[str], scored: ScoredRows) -> Reference:
    """Profiles of the training fold's features, as the model saw them, and of the test's scores.

    The scores are of rows that the model was not fitted on, as all will be that it is served.
    """
    matrix = model_input(train.select(features).to_dict(), features)
    first, last = (train.get_column(EVENT_TIMESTAMP).min(), train.get_column(EVENT_TIMESTAMP).max())
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    days = max(1.0, (last - first).total_seconds() / _SECONDS_A_DAY)
    return Reference(
        {name: Profile.of(matrix[:, at]) for at, name in enumerate(features)},
        Profile.of(scored.scores),
        train.height / days,
    )
