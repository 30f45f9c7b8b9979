"""The compute engine behind `feast materialize` and `feast materialize-incremental`.

    batch_engine:
      type: lockstep.stores.engine.LockstepComputeEngine
      allow_empty: false      # zero rows in the range is an error unless this is true

The newest row of each key is found in the scan and written in batches, several views at a
time. A view tagged `step_function: true` gets its newest step at END whatever START says,
since a step holds until the next one; any other view, as in Feast, its newest row from
START to END. What the registry records is what was covered, see `coverage`; what became
visible when stands in the `ledger`, which is also the receipt. With our online store a run
that goes on from the last one reads what is new since (see `materialization`), and one
that broke off is gone on with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from lockstep.lake.content_hash import ContentHash
from lockstep.stores.coverage import Coverage, as_aware
from lockstep.stores.errors import MaterializeError
from lockstep.stores.feast_rows import feast_rows
from lockstep.stores.lake_errors import lake_errors
from lockstep.stores.ledger import Beginning, LedgerRow, append
from lockstep.stores.locations import lake_of
from lockstep.stores.marks import Marks
from lockstep.stores.materialization import Materialization, layout_of
from lockstep.stores.newest_rows import newest_rows
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.online_writes import WriteCount
from lockstep.stores.view_table import ViewTable
from lockstep.stores.view_tags import is_step_function

logger = logging.getLogger(__name__)

_BATCH = 100_000
_VIEWS_AT_ONCE = 4


class LockstepComputeEngineConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast: no types
    """The settings of `batch_engine` in feature_store.yaml."""

    type: str = "lockstep.stores.engine.LockstepComputeEngine"
    allow_empty: bool = False


class LockstepComputeEngine(ComputeEngine):  # type: ignore[misc]  # Feast ships no types
    """Materialises in this process, some views at a time."""

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

    def materialize(
        self,
        registry: BaseRegistry,
        tasks: MaterializationTask | list[MaterializationTask],
        **_: Any,
    ) -> list[MaterializationJob]:
        """A job for each task: done, or in ERROR with its exception, which Feast then raises.

        A view whose steps were never built is passed over with a warning where another of the
        tasks has some: a project need not use all that is defined.
        """
        tasks = [tasks] if isinstance(tasks, MaterializationTask) else tasks
        unbuilt = {t.feature_view.name for t in tasks if self._is_unbuilt(t.feature_view)}
        # Nothing at all is rather another lake than a project without data.
        passed = unbuilt if len(unbuilt) < len(tasks) else set()
        if passed:
            logger.warning("not materialised, since never built: %s", ", ".join(sorted(passed)))
        with ThreadPoolExecutor(_VIEWS_AT_ONCE) as pool:
            running = [
                None if task.feature_view.name in passed else pool.submit(self._outcome, task)
                for task in tasks
            ]
        return [
            self._job(registry, task, run.result() if run else None)
            for task, run in zip(tasks, running, strict=True)
        ]

    def _is_unbuilt(self, view: FeatureView) -> bool:
        try:
            table = ViewTable(view, lake_of(self.repo_config)).table
            # One that was materialised once and is gone was lost, which is no small thing.
            is_new = is_step_function(view) and not view.materialization_intervals
            return is_new and not table.exists()
        except LockstepError:
            # It is said, view by view, when they are read.
            return False

    def _outcome(self, task: MaterializationTask) -> LedgerRow | LockstepError:
        try:
            return self._materialize(task)
        except LockstepError as error:
            return error

    def _job(
        self,
        registry: BaseRegistry,
        task: MaterializationTask,
        outcome: LedgerRow | LockstepError | None,
    ) -> MaterializationJob:
        job_id = f"{task.feature_view.name}-{task.start_time}-{task.end_time}"
        if outcome is None:
            # Feast puts the view's state back, and raises nothing where there is no exception.
            return LocalMaterializationJob(job_id, MaterializationJobStatus.ERROR)
        if isinstance(outcome, LockstepError):
            return LocalMaterializationJob(job_id, MaterializationJobStatus.ERROR, outcome)
        start = min(task.start_time, outcome.covered_end)
        registry.apply_materialization(task.feature_view, task.project, start, outcome.covered_end)
        return LocalMaterializationJob(job_id, MaterializationJobStatus.SUCCEEDED)

    def _materialize(self, task: MaterializationTask) -> LedgerRow:
        view, started = task.feature_view, self._clock.now()
        _refuse_transformations(view)
        table = ViewTable(view, lake_of(self.repo_config))
        covered = Coverage.of(
            task.start_time, task.end_time, horizon=table.table.horizon(), now=started
        )
        marks = self._marks(view)
        run = Materialization.of(
            table,
            covered,
            excludes_created_after=getattr(
                self.repo_config.offline_store, "exclude_created_after", False
            ),
            past=marks.past(table.lake) if marks else None,
        )
        definition = layout_of(view)
        with lake_errors():
            append(
                table.lake,
                Beginning(task.project, view.name, started, covered.end, definition),
            )
        read, count, content = self._write(run, marks, task.tqdm_builder)
        if read == 0 and run.past is None:
            self._check_empty(table, covered)
        row = LedgerRow(
            project=task.project,
            view=view.name,
            started=started,
            finished=self._clock.now(),
            asked_start=as_aware(task.start_time),
            asked_end=as_aware(task.end_time),
            covered_end=covered.end,
            horizon=covered.horizon,
            definition=definition,
            files=run.files,
            read=read,
            written=count.written,
            older=count.older,
            content=content,
        )
        self._record(row, table, marks)
        return row

    def _write(
        self, run: Materialization, marks: Marks | None, bar: Callable[[int], Any] | None
    ) -> tuple[int, WriteCount, str]:
        """How many rows there were, what the store took of those not yet written, their hash."""
        done = marks.written_of(run.fingerprint) if marks else 0
        read, total, content = 0, WriteCount(), None
        for files, chosen in run.reads():
            for rows in newest_rows(run.table, chosen=chosen, files=files):
                content = content or ContentHash(rows.schema)
                content.update(rows)
                with bar(len(rows)) if bar else nullcontext() as progress:
                    for batch in rows.iter_slices(_BATCH):
                        read += len(batch)
                        if read > done:
                            total += self._write_batch(run.table, batch)
                            if marks:
                                marks.wrote(run.fingerprint, read)
                        if progress:
                            progress.update(len(batch))
        return read, total, content.hexdigest() if content else ""

    def _write_batch(self, table: ViewTable, rows: pl.DataFrame) -> WriteCount:
        store = self.online_store
        if isinstance(store, LockstepOnlineStore):
            return store.write_steps(self.repo_config, table.view, table, rows)
        store.online_write_batch(self.repo_config, table.view, feast_rows(rows, table), None)
        return WriteCount(written=len(rows))

    def _record(self, row: LedgerRow, table: ViewTable, marks: Marks | None) -> None:
        """First the ledger, then the store's own mark, last the horizon that vouches for all."""
        with lake_errors():
            append(table.lake, row)
        logger.info(
            "%s: %d keys, %d written, %d older than what is stored; exact for T < %s; %s",
            row.view,
            row.read,
            row.written,
            row.older,
            row.horizon,
            row.key,
        )
        if marks and isinstance(self.online_store, LockstepOnlineStore):
            marks.finished(row)
            self.online_store.advance_horizon(
                self.repo_config, table.view, row.horizon, limit=table.table.horizon()
            )

    def _marks(self, view: FeatureView) -> Marks | None:
        if isinstance(self.online_store, LockstepOnlineStore):
            return Marks(self.online_store, self.repo_config, view)
        return None

    def _check_empty(self, table: ViewTable, covered: Coverage) -> None:
        asked = is_step_function(table.view) or not covered.is_empty
        if asked and not self._options.allow_empty:
            raise MaterializeError.no_rows(
                table.view.name, table.table.address, covered.start, covered.end
            )


def _refuse_transformations(view: FeatureView) -> None:
    """Raises for a view whose columns the lake does not hold as they are."""
    if getattr(view, "feature_transformation", None) or getattr(view, "aggregations", None):
        raise MaterializeError.transformed_view(view.name)
