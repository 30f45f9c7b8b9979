"""One feature view joined to an entity frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import polars as pl

from lockstep.stores.asof import KNOWN_AS_OF, Seen, see_as_of
from lockstep.stores.entity_frame import key_columns
from lockstep.stores.join_receipt import ViewAccount
from lockstep.stores.join_status import StatusRule
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import EVENT_TIMESTAMP, VALID_UNTIL

_SECOND_US = 1_000_000
_TICK = timedelta(microseconds=1)


class JoinedView(NamedTuple):
    """What entity rows see of a view: values and statuses by output column, and the account.

    Statuses have no columns where they are not asked for.
    """

    values: pl.DataFrame
    statuses: pl.DataFrame
    account: ViewAccount


@dataclass(frozen=True)
class ViewJoin:
    """The features of one view that are asked for, and how they are called in the output.

    `with_statuses` asks for the status of each of them too.
    """

    table: ViewTable
    features: Sequence[str]
    full_feature_names: bool
    with_statuses: bool = False

    @property
    def name(self) -> str:
        """What the caller calls the view."""
        return str(self.table.view.projection.name_to_use())

    @property
    def columns(self) -> dict[str, str]:
        """Feature to output column: the view's name stands before it where asked for."""
        prefix = f"{self.name}__" if self.full_feature_names else ""
        return {feature: f"{prefix}{feature}" for feature in self.features}

    def since(self, first: datetime) -> datetime | None:
        """All steps up to it have expired at `first`; None where none ever do."""
        return first - self.ttl - _TICK if self.ttl else None

    @property
    def ttl(self) -> timedelta | None:
        """How old a step may be; None for any age, also where Feast says 0."""
        return self.table.view.ttl or None

    def keys(self, entities: pl.DataFrame) -> pl.DataFrame:
        """The view's join keys out of the entities, which may call them otherwise.

        Raises:
            EntityFrameError: a column is absent, or holds what cannot be such a key.
        """
        renamed = self.table.view.projection.join_key_map
        columns = {key: renamed.get(key, key) for key in self.table.keys}
        return key_columns(entities, columns, self.table.keys)

    @property
    def has_created(self) -> bool:
        """Whether the view's steps have a created time of their own."""
        return bool(self.table.view.batch_source.created_timestamp_column)

    def scan(
        self,
        *,
        after: datetime | None,
        until: datetime,
        features: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """The steps with after < event <= until; None is from the first one on.

        With the features that are asked for, and what their statuses need, unless others
        are named.

        Raises:
            SourceError: the view's table is absent or is not as declared.
        """
        steps = self.table.scan(self._read if features is None else features).filter(
            pl.col(EVENT_TIMESTAMP) <= until
        )
        return steps if after is None else steps.filter(pl.col(EVENT_TIMESTAMP) > after)

    def join(self, entities: pl.DataFrame, steps: pl.DataFrame) -> JoinedView:
        """What each row of `entities` sees of `steps`, in their order.

        Raises:
            EntityFrameError: the entities cannot be joined.
            SourceError: statuses are asked for and the table's record cannot be read.
        """
        times = [c for c in (EVENT_TIMESTAMP, KNOWN_AS_OF) if c in entities.columns]
        keyed = pl.concat([self.keys(entities), entities.select(times)], how="horizontal")
        seen = see_as_of(keyed, steps, keys=list(self.table.keys), ttl=self.ttl)
        values = seen.of(steps.select(c for c in steps.columns if c in self.table.features))
        output = values.select(pl.col(name).alias(to) for name, to in self.columns.items())
        statuses = pl.DataFrame()
        if self.with_statuses:
            at = entities.get_column(EVENT_TIMESTAMP)
            statuses = self._status_rule.statuses(values, self.columns, seen=seen, at=at)
        return JoinedView(output, statuses, self._account(seen, values))

    @cached_property
    def _status_rule(self) -> StatusRule:
        max_age = (self.table.view.tags or {}).get("max_age_seconds")
        return StatusRule(
            horizon=self.table.table.horizon(),
            max_age_us=int(max_age) * _SECOND_US if max_age else None,
        )

    @property
    def _read(self) -> list[str]:
        hidden = VALID_UNTIL in self.table.features and VALID_UNTIL not in self.features
        return [*self.features, *([VALID_UNTIL] if self.with_statuses and hidden else [])]

    def _account(self, seen: Seen, values: pl.DataFrame) -> ViewAccount:
        not_found, expired = seen.rows.null_count(), int(seen.expired.sum())
        without = not_found + expired
        nulls = {f: values.get_column(f).null_count() - without for f in self.features}
        return ViewAccount(
            rows=len(seen.rows),
            not_found=not_found,
            expired=expired,
            late=seen.late,
            nulls={feature: count for feature, count in nulls.items() if count},
        )
