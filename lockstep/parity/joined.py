"""The offline join of served rows: exact at their T, or as the store must have held it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from lockstep.parity.served_rows import KIND_TYPE, KINDS, ServedRows
from lockstep.parity.service_views import ServiceViews
from lockstep.stores.view_query import STATUS_SUFFIX
from lockstep.stores.visibility import Answered, Visibility
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

if TYPE_CHECKING:
    from feast import FeatureStore

    from lockstep.stores.historical_job import HistoricalJob


@dataclass(frozen=True)
class Joined:
    """What served rows see of each view of their service, in their order."""

    frame: pl.DataFrame

    def kind(self, view: str) -> pl.Series:
        """NOT_FOUND, FUTURE, EXPIRED or FOUND of each row's step."""
        status = self.frame.get_column(self._statuses[view]).cast(pl.String)
        return status.replace_strict(KINDS, return_dtype=KIND_TYPE)

    def event_us(self, view: str) -> pl.Series:
        """The event time of each row's step in microseconds; null for none."""
        return self.frame.get_column(f"{view}__{EVENT_TIMESTAMP}").to_physical()

    def created_us(self, view: str) -> pl.Series:
        """The created time of each row's step; that of its event where it has none."""
        name = f"{view}__{CREATED_TIMESTAMP}"
        if name not in self.frame.columns:
            return self.event_us(view)
        return self.frame.get_column(name).to_physical()

    def values(self, columns: list[str]) -> pl.DataFrame:
        """The features of these columns."""
        return self.frame.select(columns)

    @cached_property
    def _statuses(self) -> dict[str, str]:
        """For each view the status column of one of its features."""
        names = [name for name in self.frame.columns if name.endswith(STATUS_SUFFIX)]
        return {name.partition("__")[0]: name for name in reversed(names)}


def job_of(store: FeatureStore, views: ServiceViews, rows: ServedRows) -> HistoricalJob:
    """The join of the rows to the service, with statuses and times, by full names."""
    job: HistoricalJob = store.get_historical_features(
        entity_df=rows.entities.to_arrow(), features=views.asked, full_feature_names=True
    )
    return job.with_statuses().with_times()


def join_exact(store: FeatureStore, views: ServiceViews, rows: ServedRows) -> Joined:
    """What training sees of the same entities and T.

    Raises as the offline join does.
    """
    return Joined(pl.DataFrame(job_of(store, views, rows).to_arrow()))


def join_held(
    store: FeatureStore,
    views: ServiceViews,
    rows: ServedRows,
    visibility: Visibility,
    at: pl.Series,
) -> Joined:
    """What the store held of them at the instants `at`, as `visibility` says.

    Raises as the offline join does.
    """
    job = job_of(store, views, rows).as_served(Answered(visibility, at))
    return Joined(pl.DataFrame(job.to_arrow()))
