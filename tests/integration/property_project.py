"""A project with listings built and applied, and what property_v1 says, joined and served."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from feast import FeatureStore
from feast_project import make_project

from feature_repo.definitions.property import property_v1
from feature_repo.discovery import feast_objects
from feature_repo.store import open_feature_store
from feature_repo.windows.property import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.contract.property import SCORED_EVENTS
from lockstep.jobs.build import build
from lockstep.jobs.ingest.property import ingest_spec
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.windows.microseconds import microseconds

FEATURES = [each.name for view in property_v1.feature_view_projections for each in view.features]
_ASKED = (*SCORED_EVENTS.entity_keys, *SCORED_EVENTS.request_columns)


def make_property(
    folder: Path, file: Path, *, export_date: date | None = None
) -> tuple[Settings, IngestReceipt]:
    """The project after a file is ingested, built and applied; nothing is materialised."""
    settings = make_project(folder)
    lake = Lake.at(settings.lake)
    receipt = ingest(ingest_spec(export_date=export_date), file, lake=lake)
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)
    open_feature_store(settings).apply(list(feast_objects("property").values()))
    return settings, receipt


def all_listings(settings: Settings) -> pl.DataFrame:
    """All listings of the lake, by time."""
    table = Lake.at(settings.lake).table(SCORED_EVENTS.table)
    return table.scan().collect().sort("event_timestamp", SCORED_EVENTS.row_id)


def offline(store: FeatureStore, flats: pl.DataFrame) -> pl.DataFrame:
    """`listing_id` and all that property_v1 says of each flat at its `event_timestamp`."""
    at = pl.col("event_timestamp").dt.timestamp("us").alias(SCORED_EVENTS.time_column)
    entities = flats.select("listing_id", *_ASKED, "event_timestamp", at)
    service = store.get_feature_service(property_v1.name)
    job = store.get_historical_features(entities.to_arrow(), service)
    return pl.DataFrame(job.to_arrow()).select("listing_id", *FEATURES).sort("listing_id")


def online(store: FeatureStore, flats: pl.DataFrame, at: datetime) -> list[dict[str, Any]]:
    """The same of what Redis holds, as a Feast client reads it at one T, by `listing_id`."""
    rows = flats.sort("listing_id").select(_ASKED).to_dicts()
    asked = [row | {SCORED_EVENTS.time_column: microseconds(at)} for row in rows]
    found = store.get_online_features(store.get_feature_service(property_v1.name), asked).to_dict()
    return [{name: found[name][n] for name in FEATURES} for n in range(len(asked))]
