"""How long the folds of a use case are, and what keeps them apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SplitRules:
    """Lengths in whole days; `train_days` None is all that there are.

    Validation takes `validation_days`, or a quarter of what is fitted on where that is less.
    Labels must have been known `embargo_days` before the fold that they must be known for:
    what is alike in neighbouring days does not help. `group` is a column of which no value
    stands in two folds, such as a building; rows without one belong to no group.
    """

    test_days: int = 7
    train_days: int | None = None
    validation_days: int = 7
    embargo_days: int = 0
    group: str | None = None
