"""Recomputes what was served and counts the differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lockstep.parity.compare import Comparison, compare
from lockstep.settings import Settings
from lockstep.windows.spec import EVENT_TIMESTAMP


@dataclass(frozen=True)
class Proof:
    """The comparison, and how many rows had to be compared at their cut."""

    comparison: Comparison
    rows: int
    at_cut: int


def prove(
    settings: Settings, transactions: pl.DataFrame, answers: Sequence[dict[str, Any]]
) -> Proof:
    """The served features of `answers` against the offline join for `transactions`."""
    from feature_repo.definitions.fraud import fraud_v1
    from feature_repo.store import open_feature_store
    from feature_repo.windows.fraud import WINDOW_SPECS
    from lockstep.lake.lake import Lake
    from lockstep.parity.recompute import recompute

    lake = Lake.at(settings.lake)
    read = {projection.name for projection in fraud_v1.feature_view_projections}
    tables = [(s, lake.table(s.table).scan()) for s in WINDOW_SPECS if s.name in read]
    store = open_feature_store(settings)
    recomputed = recompute(store, fraud_v1.name, transactions, tables)
    features = [
        feature.name
        for projection in fraud_v1.feature_view_projections
        for feature in projection.features
    ]
    served = pl.DataFrame(
        {
            name: pl.Series([answer["features"][name]["value"] for answer in answers], strict=True)
            for name in features
        }
    )
    at_cut = (recomputed[EVENT_TIMESTAMP] != transactions[EVENT_TIMESTAMP]).sum()
    return Proof(compare(served, recomputed, features), len(answers), int(at_cut))
