"""The compute engine behind `feast materialize` and `feast materialize-incremental`.

    batch_engine:
      type: lockstep.stores.engine.LockstepComputeEngine
      allow_empty: false      # zero rows in the range is an error unless this is true

The newest row of each key is found in the scan and written in batches. A view tagged
`step_function: true` gets its newest step at END whatever START says, since a step
holds until the next one; any other view, as in Feast, its newest row from START to END.
What the registry records is what was covered, see `coverage`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import polars as pl
from feast import Entity, FeatureView, OnDemandFeatureView, RepoConfig
from feast.infra.common.materialization_job import (
    MaterializationJob,
    MaterializationJobStatus,
    MaterializationTask,
)
from feast.infra.compute_engines.base import ComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.offline_stores.offline_store import OfflineStore
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from pydantic import ValidationError

from lockstep.contract.clock import Clock, SystemClock
from lockstep.errors import LockstepError
from lockstep.stores.coverage import Coverage
from lockstep.stores.errors import MaterializeError
from lockstep.stores.feast_rows import feast_rows
from lockstep.stores.locations import lake_of
from lockstep.stores.newest import newest_per_key
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

_BATCH = 2000


class LockstepComputeEngineConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast: no types
    """The settings of `batch_engine` in feature_store.yaml."""

    type: str = "lockstep.stores.engine.LockstepComputeEngine"
    allow_empty: bool = False


class LockstepComputeEngine(ComputeEngine):  # type: ignore[misc]  # Feast ships no types
    """Materialises in this process, one view after another."""

    def __init__(
        self,
        *,
        repo_config: RepoConfig,
        offline_store: OfflineStore,
        online_store: OnlineStore,
        clock: Clock | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            repo_config=repo_config, offline_store=offline_store, online_store=online_store
        )
        self._clock = clock or SystemClock()
        try:
            self._options = LockstepComputeEngineConfig(**options)
        except ValidationError as error:
            raise MaterializeError.bad_options(error) from error

    @property
    def supports_batch(self) -> bool:
        """True: Feast hands over all views at once and leaves the recording to the engine."""
        return True

    @property
    def applies_materialization(self) -> bool:
        """True: the engine records what was covered, not the END that was asked for."""
        return True

    def update(
        self,
        project: str,
        views_to_delete: Sequence[FeatureView],
        views_to_keep: Sequence[FeatureView | OnDemandFeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
    ) -> None:
        """Nothing: the engine keeps no resources."""

    def teardown_infra(
        self, project: str, fvs: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Nothing: the engine keeps no resources."""

    def _materialize_one(
        self, registry: BaseRegistry, task: MaterializationTask, **_: Any
    ) -> MaterializationJob:
        """A job that is done, or in ERROR with its exception, which Feast then raises."""
        job_id = f"{task.feature_view.name}-{task.start_time}-{task.end_time}"
        try:
            covered = self._materialize(task)
        except LockstepError as error:
            return LocalMaterializationJob(job_id, MaterializationJobStatus.ERROR, error)
        registry.apply_materialization(task.feature_view, task.project, covered.start, covered.end)
        return LocalMaterializationJob(job_id, MaterializationJobStatus.SUCCEEDED)

    def _materialize(self, task: MaterializationTask) -> Coverage:
        view = task.feature_view
        _refuse_transformations(view)
        table = ViewTable(view, lake_of(self.repo_config))
        covered = Coverage.of(
            task.start_time,
            task.end_time,
            horizon=table.table.horizon(),
            now=self._clock.now(),
        )
        rows = self._newest(table, covered)
        if rows.is_empty():
            self._check_empty(table, covered)
        self._write(table, rows, task.tqdm_builder)
        # Last, so that whoever reads the horizon finds the rows that it vouches for.
        if isinstance(self.online_store, LockstepOnlineStore):
            self.online_store.advance_horizon(
                self.repo_config, view, covered.horizon, limit=table.table.horizon()
            )
        return covered

    def _newest(self, table: ViewTable, covered: Coverage) -> pl.DataFrame:
        rows = table.scan(list(table.features)).filter(pl.col(EVENT_TIMESTAMP) <= covered.end)
        if not _is_step_function(table.view):
            rows = rows.filter(pl.col(EVENT_TIMESTAMP) >= covered.start)
        created = None
        if table.view.batch_source.created_timestamp_column:
            created = CREATED_TIMESTAMP
            if getattr(self.repo_config.offline_store, "exclude_created_after", False):
                known = pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP)
                rows = rows.filter(known <= covered.end)
        newest = newest_per_key(rows, list(table.keys), event=EVENT_TIMESTAMP, created=created)
        return table.table.collect(newest, engine="streaming")

    def _check_empty(self, table: ViewTable, covered: Coverage) -> None:
        asked = _is_step_function(table.view) or not covered.is_empty
        if asked and not self._options.allow_empty:
            raise MaterializeError.no_rows(
                table.view.name, table.table.address, covered.start, covered.end
            )

    def _write(
        self, table: ViewTable, rows: pl.DataFrame, bar: Callable[[int], Any] | None
    ) -> None:
        with bar(len(rows)) if bar else nullcontext() as progress:
            for batch in rows.iter_slices(_BATCH):
                self.online_store.online_write_batch(
                    self.repo_config,
                    table.view,
                    feast_rows(batch, table),
                    progress.update if progress else None,
                )


def _is_step_function(view: FeatureView) -> bool:
    return str((view.tags or {}).get("step_function", "")).lower() == "true"


def _refuse_transformations(view: FeatureView) -> None:
    """Raises for a view whose columns the lake does not hold as they are."""
    if getattr(view, "feature_transformation", None) or getattr(view, "aggregations", None):
        raise MaterializeError.transformed_view(view.name)
