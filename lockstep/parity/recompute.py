"""Served vectors once more, from the lake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from lockstep.parity.compare import CUT, recompute_at
from lockstep.windows.spec import EVENT_TIMESTAMP, WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore


def recompute(
    store: FeatureStore,
    feature_service: str,
    served: pl.DataFrame,
    tables: Sequence[tuple[WindowSpec, pl.LazyFrame]],
) -> pl.DataFrame:
    """The features of `feature_service` for each served row, through Feast's offline join.

    `served` has the entity keys, the request columns, `event_timestamp` (T) and `cut` (the
    END of the materialisation it was served from). `tables` are the step tables that the
    service reads. One row out per row in, in order; the join's instant is in
    `event_timestamp`: T, or the cut where the online store could not know better.
    """
    entities = served.drop(CUT).with_columns(recompute_at(served, tables).alias(EVENT_TIMESTAMP))
    job = store.get_historical_features(
        entity_df=entities.to_arrow(), features=store.get_feature_service(feature_service)
    )
    return pl.DataFrame(job.to_arrow())
