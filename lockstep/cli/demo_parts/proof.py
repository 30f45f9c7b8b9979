"""Recomputes what was served and counts the differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lockstep.parity.compare import Comparison, compare
from lockstep.settings import Settings
from lockstep.use_cases import load_use_case
from lockstep.windows.spec import EVENT_TIMESTAMP


@dataclass(frozen=True)
class Proof:
    """The comparison, and how many rows had to be compared at their cut."""

    comparison: Comparison
    rows: int
    at_cut: int


def prove(
    settings: Settings, use_case: str, rows: pl.DataFrame, answers: Sequence[dict[str, Any]]
) -> Proof:
    """The served features of `answers`, all by one model, against the offline join for `rows`."""
    from feature_repo.store import open_feature_store
    from lockstep.lake.lake import Lake
    from lockstep.parity.recompute import recompute

    store, lake = open_feature_store(settings), Lake.at(settings.lake)
    (service,) = {answer["model"]["feature_service"] for answer in answers}
    views = store.get_feature_service(service).feature_view_projections
    windows = load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS")
    read = {projection.name for projection in views}
    tables = [(s, lake.table(s.table).scan()) for s in windows.WINDOW_SPECS if s.name in read]
    recomputed = recompute(store, service, rows, tables)
    features = list(answers[0]["features"])
    served = pl.DataFrame(
        {
            name: pl.Series([answer["features"][name]["value"] for answer in answers], strict=True)
            for name in features
        }
    )
    at_cut = (recomputed[EVENT_TIMESTAMP] != rows[EVENT_TIMESTAMP]).sum()
    return Proof(compare(served, recomputed, features), len(answers), int(at_cut))
