"""Labelled rows joined point-in-time with the features of their service, through Feast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.errors import TrainingError

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore


@dataclass(frozen=True)
class Dataset:
    """Entity rows with one column a feature; null where nothing was known at T.

    `receipt` is the account of the join: its content hash is over entity rows and features
    in their order. `fingerprint` is that of the definitions behind them.
    """

    rows: pl.DataFrame
    feature_order: tuple[str, ...]
    receipt: Mapping[str, Any]
    fingerprint: str


def join_features(
    store: FeatureStore,
    rows: pl.DataFrame,
    *,
    feature_service: str,
    row_id: str,
    with_statuses: bool = False,
) -> Dataset:
    """`rows` with the values that each feature of the service had at their T.

    `with_statuses` asks for a column `<feature>__status` too, for each feature of a view.

    Raises:
        TrainingError: the service was not applied, its registry is damaged, a table was not
            built up to the newest T, or the store lost or moved rows.
    """
    from lockstep.stores.fingerprint import service_fingerprint

    service = _feature_service(store, feature_service)
    _check_horizons(store, service, rows)
    job = store.get_historical_features(entity_df=rows, features=service)
    if with_statuses:
        job = job.with_statuses()
    joined = pl.DataFrame(job.to_arrow())
    if not joined[row_id].equals(rows[row_id]):
        raise TrainingError.rows_changed(rows.height, len(joined))
    receipt = job.receipt_of(joined).as_json()
    fingerprint = service_fingerprint(
        service, lambda name: store.registry.get_any_feature_view(name, store.project)
    )
    return Dataset(joined, feature_names(service), receipt, fingerprint)


def _check_horizons(store: FeatureStore, service: FeatureService, rows: pl.DataFrame) -> None:
    """Raises where a step table is not exact for the newest T: its old steps would look new."""
    from lockstep.stores.locations import lake_of
    from lockstep.stores.view_table import ViewTable

    newest = rows.select(pl.col(EVENT_TIMESTAMP).max()).item()
    names = {p.name for p in service.feature_view_projections}
    for view in store.list_feature_views():
        horizon = ViewTable(view, lake_of(store.config)).table.horizon()
        if view.name in names and horizon is not None and horizon <= newest:
            raise TrainingError.past_horizon(view.name, horizon, newest)


def feature_names(service: FeatureService) -> tuple[str, ...]:
    """The names of a service's features, in the order in which the service lists them."""
    return tuple(
        feature.name
        for projection in service.feature_view_projections
        for feature in projection.features
    )


def _feature_service(store: FeatureStore, name: str) -> FeatureService:
    from feast.errors import FeatureServiceNotFoundException
    from google.protobuf.message import DecodeError

    try:
        return store.get_feature_service(name)
    except FeatureServiceNotFoundException as error:
        raise TrainingError.not_applied(name) from error
    except DecodeError as error:
        raise TrainingError.damaged_registry(error) from error
