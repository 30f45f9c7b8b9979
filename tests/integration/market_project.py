"""A project with price bars built and applied, and what market_v1 says, joined and served."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from feast import FeatureStore
from feast_project import make_project

from feature_repo.definitions.market import market_v1
from feature_repo.discovery import feast_objects
from feature_repo.store import open_feature_store
from feature_repo.windows.market import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.ingest.market import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.windows.microseconds import microseconds

FEATURES = [each.name for view in market_v1.feature_view_projections for each in view.features]


def make_market(folder: Path, bars: Path, *, asset_id: int | None = None) -> Settings:
    """The project after its bars are ingested, built and applied; nothing is materialised."""
    settings = make_project(folder)
    lake = Lake.at(settings.lake)
    ingest(ingest_spec(asset_id=asset_id), bars, lake=lake)
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)
    open_feature_store(settings).apply(list(feast_objects("market").values()))
    return settings


def offline(store: FeatureStore, times: Sequence[datetime], *, asset: int = 1) -> pl.DataFrame:
    """All that market_v1 says of the asset at each T."""
    at = pl.Series(times, dtype=pl.Datetime("us", "UTC"))
    entities = pl.DataFrame({"asset_id": asset, "event_timestamp": at}).with_columns(
        decision_time_us=at.dt.timestamp("us")
    )
    service = store.get_feature_service(market_v1.name)
    job = store.get_historical_features(entities.to_arrow(), service)
    return pl.DataFrame(job.to_arrow()).select(FEATURES)


def online(store: FeatureStore, at: datetime, *, asset: int = 1) -> dict[str, Any]:
    """The same of what Redis holds, as a Feast client reads it."""
    rows = [{"asset_id": asset, "decision_time_us": microseconds(at)}]
    found = store.get_online_features(store.get_feature_service(market_v1.name), rows).to_dict()
    return {name: found[name][0] for name in FEATURES}
