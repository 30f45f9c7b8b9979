"""What a join needs to know of a view: plain data, so that tasks of Spark take it along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from lockstep.stores.asof import Seen, see_as_of
from lockstep.stores.join_receipt import ViewAccount
from lockstep.stores.join_status import StatusRule
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

ROW = "__row"
STATUS_SUFFIX = "__status"


class JoinedView(NamedTuple):
    """What entity rows see of a view: values and statuses by output column, and the account.

    Statuses have no columns where they are not asked for, nor have times.
    """

    values: pl.DataFrame
    statuses: pl.DataFrame
    times: pl.DataFrame
    account: ViewAccount


@dataclass(frozen=True)
class ViewQuery:
    """The join keys of a view, its features by output column, and what ages them.

    A `ttl` of None never expires. Without `statuses` there are no columns of statuses.
    `times` is the prefix of the columns with the event and created time of the step that a
    row sees, expired or not; None for no such columns.
    """

    keys: tuple[str, ...]
    columns: Mapping[str, str]
    ttl: timedelta | None = None
    statuses: StatusRule | None = None
    times: str | None = None

    def join(self, entities: pl.DataFrame, steps: pl.DataFrame) -> JoinedView:
        """What each row of `entities` sees of `steps`, in their order.

        Both have the keys, of equal types, and their times; see `see_as_of`.

        Raises:
            EntityFrameError: the entities cannot be joined.
        """
        seen = see_as_of(entities, steps, keys=self.keys, ttl=self.ttl)
        beside = {*self.keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP} - set(self.columns)
        values = seen.of(steps.select(pl.all().exclude(*beside)))
        output = values.select(pl.col(name).alias(to) for name, to in self.columns.items())
        statuses = pl.DataFrame()
        if self.statuses is not None:
            statuses = self.statuses.statuses(values, self.columns, seen=seen, entities=entities)
        return JoinedView(output, statuses, self._times(seen, steps), self._account(seen, values))

    def _times(self, seen: Seen, steps: pl.DataFrame) -> pl.DataFrame:
        if self.times is None:
            return pl.DataFrame()
        names = [name for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP) if name in steps.columns]
        found = steps.select(pl.col(names).gather(seen.rows))
        return found.rename(lambda name: f"{self.times}{name}")

    def _account(self, seen: Seen, values: pl.DataFrame) -> ViewAccount:
        not_found, expired = seen.rows.null_count(), int(seen.expired.sum())
        future = int(seen.future.sum())
        without = not_found + expired + future
        nulls = {name: values.get_column(name).null_count() - without for name in self.columns}
        return ViewAccount(
            rows=len(seen.rows),
            not_found=not_found,
            expired=expired,
            future=future,
            late=seen.late,
            nulls={feature: count for feature, count in nulls.items() if count},
        )


def columns_of(rows: pl.DataFrame, joined: Sequence[JoinedView]) -> pl.DataFrame:
    """Row numbers, then each view's values, then its statuses, then its times."""
    frames = [rows.select(ROW)]
    for view in joined:
        statuses = view.statuses.rename(lambda name: f"{name}{STATUS_SUFFIX}")
        frames += [view.values, statuses, view.times]
    return pl.concat(frames, how="horizontal")
