"""An entity frame joined to feature views, whole or part after part in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from lockstep.stores.asof import KNOWN_AS_OF, asked_at
from lockstep.stores.join_receipt import ViewAccount
from lockstep.stores.step_history import StepHistory
from lockstep.stores.time_slices import Slice, time_slices
from lockstep.stores.view_join import ViewJoin
from lockstep.stores.view_query import ROW, columns_of
from lockstep.windows.spec import EVENT_TIMESTAMP

_NO_TIME = datetime.min.replace(year=2, tzinfo=UTC)
ROWS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class HistoricalJoin:
    """What is asked for; nothing is read before it is evaluated.

    `exclude` leaves steps out that were created after T, or after `known_as_of` where the
    entities have that column. `memory_mb` (10^6 bytes) bounds what steps and joined rows
    take at once, beside the entities and the output.
    """

    entities: pl.DataFrame
    views: Sequence[ViewJoin]
    exclude: bool
    memory_mb: int

    @property
    def excludes(self) -> bool:
        """Whether rows do not see what was created later than they may know."""
        return self.exclude or KNOWN_AS_OF in self.entities.columns

    def with_views(self, views: Sequence[ViewJoin]) -> HistoricalJoin:
        """The same join to other views."""
        return replace(self, views=views)

    def frame(self, accounts: dict[str, ViewAccount]) -> pl.DataFrame:
        """One row for each entity row, in order; `accounts` gets those of the views.

        Raises:
            SourceError: a view's table is absent or is not as declared.
            EntityFrameError: the entities cannot be joined.
        """
        parts = [columns for _, columns in self._parts(accounts)]
        if len(parts) == 1:
            return pl.concat([self.entities, parts[0].drop(ROW)], how="horizontal")
        joined = pl.concat(parts)
        place = joined.get_column(ROW).arg_sort()
        return pl.concat([self.entities, joined.drop(ROW)[place]], how="horizontal")

    def batches(self, accounts: dict[str, ViewAccount]) -> Iterator[pl.DataFrame]:
        """The rows of `frame`, one frame after another.

        Entities that are not in the order of T go over the local disk. Raises as `frame` does.
        """
        parts = self._parts(accounts)
        if self.entities.get_column(EVENT_TIMESTAMP).is_sorted():
            for rows, columns in parts:
                yield pl.concat([rows, columns.drop(ROW)], how="horizontal")
            return
        with TemporaryDirectory(prefix="lockstep-join-") as folder:
            files = [
                _spooled(pl.concat([rows, columns], how="horizontal"), Path(folder), number)
                for number, (rows, columns) in enumerate(parts)
            ]
            yield from _in_order(files, len(self.entities))

    def _parts(
        self, accounts: dict[str, ViewAccount]
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Entity rows, and what they see beside their row numbers; at least one part."""
        entities = self.limited()
        first, slices = self._slices()
        known_by = self._known_by(entities)
        # Without rows there is none.
        t = asked_at(entities).min()
        aged_at = t if isinstance(t, datetime) else first
        histories = [
            StepHistory(view, first=first, aged_at=aged_at, known_by=known_by)
            for view in self.views
        ]
        for after, until in slices:
            rows = entities.with_row_index(ROW)
            if len(slices) > 1:
                rows = rows.filter(_between(after, until))
            joined = [
                view.query.join(
                    view.keyed(rows),
                    history.slice(after, until, is_last=until == slices[-1][1]),
                )
                for view, history in zip(self.views, histories, strict=True)
            ]
            for view, one in zip(self.views, joined, strict=True):
                accounts[view.name] = accounts.get(view.name, ViewAccount()) + one.account
            yield rows.select(self.entities.columns), columns_of(rows, joined)

    def limited(self) -> pl.DataFrame:
        """The entities, with what they may know where that is limited."""
        if not self.exclude or KNOWN_AS_OF in self.entities.columns:
            return self.entities
        return self.entities.with_columns(pl.col(EVENT_TIMESTAMP).alias(KNOWN_AS_OF))

    def _known_by(self, entities: pl.DataFrame) -> datetime | None:
        """What was created until then all rows may know; None where nothing limits them."""
        if KNOWN_AS_OF not in entities.columns:
            return None
        earliest = entities.select(pl.min_horizontal(KNOWN_AS_OF, EVENT_TIMESTAMP).min()).item()
        return earliest if isinstance(earliest, datetime) else _NO_TIME

    def _slices(self) -> tuple[datetime, list[Slice]]:
        """The first T, and the slices; without any T nothing needs to be read."""
        at = self.entities.get_column(EVENT_TIMESTAMP)
        first, last = at.min(), at.max()
        if not isinstance(first, datetime) or not isinstance(last, datetime):
            return _NO_TIME, [(None, _NO_TIME)]
        found = time_slices(at, self.views, memory_mb=self.memory_mb, first=first, last=last)
        return first, found


def _between(after: datetime | None, until: datetime) -> pl.Expr:
    at = pl.col(EVENT_TIMESTAMP)
    return at <= until if after is None else (at > after) & (at <= until)


def _spooled(rows: pl.DataFrame, folder: Path, number: int) -> Path:
    path = folder / f"{number:05d}.parquet"
    rows.sort(ROW).write_parquet(path, compression="lz4", row_group_size=100_000)
    return path


def _in_order(files: list[Path], count: int) -> Iterator[pl.DataFrame]:
    rows = pl.scan_parquet(files)
    for first in range(0, max(count, 1), ROWS_AT_ONCE):
        some = pl.col(ROW).is_between(first, first + ROWS_AT_ONCE - 1)
        yield rows.filter(some).sort(ROW).drop(ROW).collect()
