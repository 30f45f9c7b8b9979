"""One feature view joined to an entity frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl

from lockstep.stores.asof import ASKED_AT, KNOWN_AS_OF
from lockstep.stores.entity_frame import key_columns
from lockstep.stores.join_status import StatusRule
from lockstep.stores.view_query import ViewQuery
from lockstep.stores.view_table import ViewTable
from lockstep.stores.view_tags import max_age_us
from lockstep.windows.spec import EVENT_TIMESTAMP, VALID_UNTIL

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class ViewJoin:
    """The features of one view that are asked for, and how they are called in the output.

    `with_statuses` asks for the status of each of them too, `with_times` for the event and
    created time of the step that each row sees, as `<view>__event_timestamp` and so on.
    """

    table: ViewTable
    features: Sequence[str]
    full_feature_names: bool
    with_statuses: bool = False
    with_times: bool = False

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
        steps = self.table.scan(self.read if features is None else features).filter(
            pl.col(EVENT_TIMESTAMP) <= until
        )
        return steps if after is None else steps.filter(pl.col(EVENT_TIMESTAMP) > after)

    def keyed(self, entities: pl.DataFrame) -> pl.DataFrame:
        """The join keys of the rows, and their times, as `query` takes them.

        Raises:
            EntityFrameError: a column is absent, or holds what cannot be such a key.
        """
        times = [c for c in (EVENT_TIMESTAMP, KNOWN_AS_OF, ASKED_AT) if c in entities.columns]
        return pl.concat([self.keys(entities), entities.select(times)], how="horizontal")

    @cached_property
    def query(self) -> ViewQuery:
        """What is asked of the view.

        Raises:
            SourceError: statuses are asked for and the table's record cannot be read.
        """
        rule = None
        if self.with_statuses:
            view = self.table.view
            rule = StatusRule(horizon=self.table.table.horizon(), max_age_us=max_age_us(view))
        times = f"{self.name}__" if self.with_times else None
        return ViewQuery(tuple(self.table.keys), self.columns, self.ttl, rule, times)

    @property
    def read(self) -> list[str]:
        """The features that are read: those asked for, and what their statuses need."""
        hidden = VALID_UNTIL in self.table.features and VALID_UNTIL not in self.features
        return [*self.features, *([VALID_UNTIL] if self.with_statuses and hidden else [])]
