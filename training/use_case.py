"""What a use case tells the generic training code; one module a use case declares one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.lake.lake import Lake
from lockstep.use_cases import load_use_case as find_use_case

LABEL = "label"
LABEL_KNOWN_AT = "label_known_at"

EntityRows = Callable[[Lake, datetime], pl.DataFrame]
ExtraMetrics = Callable[[pl.DataFrame, NDArray[np.float64]], Mapping[str, float]]


@dataclass(frozen=True)
class UseCase:
    """How the labelled rows of one use case are found.

    `entity_rows(lake, as_of)` returns what was known at `as_of`, ordered by
    `event_timestamp`: the row id, the join keys, the request columns, `event_timestamp`
    (T), `label` (0/1) and `label_known_at`. `extra_metrics` gets the test rows and their
    scores.
    """

    name: str
    feature_service: str
    row_id: str
    labels_table: str
    entity_rows: EntityRows
    extra_metrics: ExtraMetrics


def load_use_case(name: str) -> UseCase:
    """The `USE_CASE` of the module `training.<name>`.

    Raises:
        UseCaseError: there is none of that name.
    """
    use_case: UseCase = find_use_case("training", name, entry="USE_CASE").USE_CASE
    return use_case
