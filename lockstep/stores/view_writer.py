"""Rows of one view into Redis, whether they come as columns or from Feast's interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from feast import FeatureView, RepoConfig

from lockstep.stores.feast_layout import feature_field
from lockstep.stores.feast_reads import stored_name
from lockstep.stores.feast_rows import feast_rows
from lockstep.stores.kept_cells import kept_cells
from lockstep.stores.live_writes import LiveWriter
from lockstep.stores.online_rows import FeastRow, newest_of_each_key, online_rows
from lockstep.stores.online_writes import RowWriter, WriteCount, made_ahead
from lockstep.stores.redis_servers import RedisServers
from lockstep.stores.row_commands import HashWrites
from lockstep.stores.view_table import ViewTable
from lockstep.stores.view_tags import kept_rows, tail_steps

# Rows in Feast's messages at a time, and rows whose columns are encoded at once.
_BATCH = 2_000
_ENCODED_AT_ONCE = 8_000
# Rows with tens of kilobytes beside each.
_KEPT_AT_ONCE = 200

Progress = Callable[[int], Any] | None


@dataclass(frozen=True)
class ViewWriter:
    """Writes a view, with a tail of steps where it is `live`."""

    servers: RedisServers
    config: RepoConfig
    view: FeatureView

    def write_frame(self, table: ViewTable, rows: pl.DataFrame, progress: Progress) -> WriteCount:
        """Writes rows that `table` scans, one a key.

        Raises:
            EntityKeyError: a key is null.
            SourceError: the rows that are kept beside them cannot be read.
            RedisError, OSError: Redis does not answer, or refuses.
        """
        if tail_steps(self.view):
            count = WriteCount()
            for batch in rows.iter_slices(_BATCH):
                count += self.write_rows(feast_rows(batch, table), progress)
            return count
        if kept_rows(self.view):
            return self._write(self._with_kept(table, rows), progress)
        batches = (
            HashWrites.of_frame(self.config.project, self._name, table, batch)
            for batch in rows.iter_slices(_ENCODED_AT_ONCE)
        )
        return self._write(made_ahead(batches), progress)

    def _with_kept(self, table: ViewTable, rows: pl.DataFrame) -> Iterator[HashWrites]:
        """The writes with what each step was made of."""
        for batch in rows.iter_slices(_BATCH):
            cells = kept_cells(table, batch)
            for start in range(0, len(batch), _KEPT_AT_ONCE):
                some, kept = (
                    batch[start : start + _KEPT_AT_ONCE],
                    cells[start : start + _KEPT_AT_ONCE],
                )
                yield HashWrites.of_frame(self.config.project, self._name, table, some, kept=kept)

    def write_rows(self, rows: Sequence[FeastRow], progress: Progress) -> WriteCount:
        """Writes rows as Feast hands them over; of one key's rows the newest.

        Raises:
            RedisError, OSError: Redis does not answer, or refuses.
        """
        count = WriteCount()
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            encoded = online_rows(self.config.project, self._name, batch)
            if tail_steps(self.view):
                count += self._live.write(encoded)
            else:
                count += self._write([HashWrites.of_rows(newest_of_each_key(encoded))], None)
            if progress:
                progress(len(batch))
        return count

    def _write(self, batches: Iterable[HashWrites], progress: Progress) -> WriteCount:
        writer = RowWriter(
            self.servers, self.config.project, self._name, key_ttl_seconds=self._key_ttl
        )
        total = WriteCount()
        for count in writer.write(batches):
            total += count
            if progress:
                progress(count.written + count.older)
        return total

    @property
    def _live(self) -> LiveWriter:
        features = [feature_field(self._name, feature.name) for feature in self.view.features]
        return LiveWriter(
            self.servers,
            self._name,
            features,
            keep=tail_steps(self.view),
            key_ttl_seconds=self._key_ttl,
        )

    @property
    def _name(self) -> str:
        return stored_name(self.config, self.view)

    @property
    def _key_ttl(self) -> int:
        return self.config.online_store.key_ttl_seconds or 0
