"""The job of `get_historical_features`: a join, its on-demand views, statuses and receipt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl
import pyarrow as pa
from feast import OnDemandFeatureView
from feast.infra.offline_stores.offline_store import RetrievalMetadata

from lockstep.lake.content_hash import content_hash
from lockstep.lake.lake import Lake
from lockstep.stores.as_served_join import AsServedJoin
from lockstep.stores.historical_join import HistoricalJoin
from lockstep.stores.join_receipt import JoinReceipt, ViewAccount
from lockstep.stores.on_demand import add_columns, takes_columns
from lockstep.stores.retrieval_job import LockstepRetrievalJob
from lockstep.stores.view_join import ViewJoin
from lockstep.stores.visibility import Visibility
from lockstep.windows.spec import EVENT_TIMESTAMP


class HistoricalJob(LockstepRetrievalJob):
    """Entity rows with the features that were known at each T; see `RetrievalJob` of Feast.

    On-demand functions that take columns are run here; Feast runs the others row by row.
    """

    def __init__(
        self,
        join: HistoricalJoin | AsServedJoin,
        *,
        lake: Lake,
        full_feature_names: bool,
        on_demand: Sequence[OnDemandFeatureView],
        metadata: RetrievalMetadata,
    ) -> None:
        super().__init__(self._joined, lake=lake)
        self._join = join
        self._full_feature_names = full_feature_names
        self._on_demand = list(on_demand)
        self._metadata = metadata
        self._accounts: dict[str, ViewAccount] = {}

    @property
    def full_feature_names(self) -> bool:
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        return [view for view in self._on_demand if not takes_columns(view)]

    @property
    def metadata(self) -> RetrievalMetadata | None:
        return self._metadata

    def with_statuses(self) -> HistoricalJob:
        """The same job with a column `<feature>__status` for every feature of a view."""
        return self._of(
            self._join.with_views([replace(v, with_statuses=True) for v in self._views])
        )

    def with_times(self) -> HistoricalJob:
        """The same job with columns `<view>__event_timestamp` and `<view>__created_timestamp`.

        They are those of the step that a row sees, expired or not.
        """
        return self._of(self._join.with_views([replace(v, with_times=True) for v in self._views]))

    def as_served(self, visibility: Visibility) -> HistoricalJob:
        """The same job, whose rows see what the online store held at T, and count ages at T.

        Raises, when it is evaluated:
            VisibilityError: it is not known what was visible of a view, or the entities have
                `known_as_of`.
        """
        join = self._join.join if isinstance(self._join, AsServedJoin) else self._join
        return self._of(AsServedJoin(join, visibility))

    def computed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows`, which have all that the on-demand views read, and what these make of it."""
        return pl.DataFrame(_Batch(self, self._with_columns(rows)).to_arrow())

    @property
    def _views(self) -> Sequence[ViewJoin]:
        return self._join.views

    def _of(self, join: HistoricalJoin | AsServedJoin) -> HistoricalJob:
        return HistoricalJob(
            join,
            lake=self._lake,
            full_feature_names=self._full_feature_names,
            on_demand=self._on_demand,
            metadata=self._metadata,
        )

    def receipt_of(self, rows: pl.DataFrame | pa.Table) -> JoinReceipt:
        """The account of `rows`, which this job gave last; its hash is that of `rows`."""
        return self._receipt(content_hash(pl.DataFrame(rows)))

    def batches(self) -> Iterator[pa.Table]:
        self._accounts = {}
        for rows in self._join.batches(self._accounts):
            yield _Batch(self, self._with_columns(rows)).to_arrow()

    def _joined(self) -> pl.DataFrame:
        self._accounts = {}
        return self._with_columns(self._join.frame(self._accounts))

    def _with_columns(self, rows: pl.DataFrame) -> pl.DataFrame:
        for view in filter(takes_columns, self._on_demand):
            wanted = [
                feature
                for name, _, feature in (ref.partition(":") for ref in self._metadata.features)
                if name in (view.name, view.projection.name_to_use())
            ]
            rows = add_columns(rows, view, wanted, full_feature_names=self._full_feature_names)
        return rows

    def _receipt(self, content_hash: str) -> JoinReceipt:
        served = self._join
        first, last = self._metadata.min_event_timestamp, self._metadata.max_event_timestamp
        return JoinReceipt(
            rows=len(self._join.entities),
            first_t=_text(first),
            last_t=_text(last),
            features=tuple(self._metadata.features),
            excludes_created_after=self._join.excludes,
            views=dict(self._accounts),
            content_hash=content_hash,
            visibility=served.visibility.label if isinstance(served, AsServedJoin) else None,
        )


class _Batch(LockstepRetrievalJob):
    """Some rows of a job, to which Feast's base class adds the on-demand views."""

    def __init__(self, job: HistoricalJob, rows: pl.DataFrame) -> None:
        super().__init__(lambda: rows, lake=job._lake)
        self._job = job

    @property
    def full_feature_names(self) -> bool:
        return self._job.full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        return self._job.on_demand_feature_views

    @property
    def metadata(self) -> RetrievalMetadata | None:
        return self._job.metadata


def joined_metadata(entities: pl.DataFrame, feature_refs: Sequence[str]) -> RetrievalMetadata:
    """What Feast records of a saved dataset: features, keys, and the range of T."""
    at = entities.get_column(EVENT_TIMESTAMP)
    return RetrievalMetadata(
        features=list(feature_refs),
        keys=[name for name in entities.columns if name != EVENT_TIMESTAMP],
        min_event_timestamp=at.min(),
        max_event_timestamp=at.max(),
    )


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
