"""Labelled rows joined point-in-time with the features of their service, through Feast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.contract.model_input import model_input
from lockstep.contract.status_policy import Codes, StatusPolicy, codes_of
from lockstep.stores.view_query import STATUS_SUFFIX
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.errors import TrainingError

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore

    from lockstep.stores.visibility import Visibility


@dataclass(frozen=True)
class Dataset:
    """Entity rows with one column a feature; null where nothing was known at T.

    Or what the service declares in its place: see `lockstep.contract.status_policy`.

    `receipt` is the account of the join: its content hash is over entity rows and features
    in their order. `fingerprint` is that of the definitions behind them.
    """

    rows: pl.DataFrame
    feature_order: tuple[str, ...]
    receipt: Mapping[str, Any]
    fingerprint: str
    policy: StatusPolicy = StatusPolicy.of({})

    def rejected(self) -> NDArray[np.bool_]:
        """Which rows have a status that the service rejects; needs the statuses of the join."""
        if not self.policy.rejected:
            return np.zeros(self.rows.height, np.bool_)
        return self.policy.rejects(_codes(self.rows, _with_status(self.rows, self.feature_order)))


def join_features(
    store: FeatureStore,
    rows: pl.DataFrame,
    *,
    feature_service: str,
    row_id: str,
    with_statuses: bool = False,
    as_served: Visibility | None = None,
) -> Dataset:
    """`rows` with the values that each feature of the service had at their T.

    `with_statuses` asks for a column `<feature>__status` too, for each feature of a view. With
    `as_served` the values are those that the online store held at T.

    Raises:
        TrainingError: the service was not applied, its registry is damaged, a table was not
            built up to the newest T, or the store lost or moved rows.
        VisibilityError: it is not known what the online store held.
    """
    from lockstep.stores.fingerprint import policy_tags, service_fingerprint

    service = _feature_service(store, feature_service)
    _check_horizons(store, service, rows)
    policy = StatusPolicy.of(policy_tags(service))
    job = store.get_historical_features(entity_df=rows, features=service)
    if as_served is not None:
        job = job.as_served(as_served)
    if with_statuses or policy.defaults:
        job = job.with_statuses()
    joined = pl.DataFrame(job.to_arrow())
    if not joined[row_id].equals(rows[row_id]):
        raise TrainingError.rows_changed(rows.height, len(joined))
    receipt = job.receipt_of(joined).as_json()
    fingerprint = service_fingerprint(
        service, lambda name: store.registry.get_any_feature_view(name, store.project)
    )
    if policy.defaults:
        joined = _with_defaults(joined, feature_names(service), policy)
    if not with_statuses:
        joined = joined.drop(
            f"{name}{STATUS_SUFFIX}" for name in _with_status(joined, joined.columns)
        )
    return Dataset(joined, feature_names(service), receipt, fingerprint, policy)


def _with_defaults(
    rows: pl.DataFrame, features: Sequence[str], policy: StatusPolicy
) -> pl.DataFrame:
    """The rows as the model sees them, here and in the API."""
    names = _with_status(rows, features)
    values = model_input(rows.select(names).to_dict(), names)
    treated = policy.treated(values, _codes(rows, names))
    return rows.with_columns(
        pl.Series(name, treated[:, column]).fill_nan(None) for column, name in enumerate(names)
    )


def _with_status(rows: pl.DataFrame, features: Sequence[str]) -> list[str]:
    return [name for name in features if f"{name}{STATUS_SUFFIX}" in rows.columns]


def _codes(rows: pl.DataFrame, features: Sequence[str]) -> Codes:
    """(rows, features): the positions in FeatureStatus of the features' status columns."""
    return np.column_stack(
        [codes_of(rows.get_column(f"{name}{STATUS_SUFFIX}").to_list()) for name in features]
    )


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
