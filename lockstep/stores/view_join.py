"""One feature view joined to an entity frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import polars as pl

from lockstep.stores.asof import KNOWN_AS_OF, join_as_of
from lockstep.stores.entity_frame import key_columns
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import EVENT_TIMESTAMP


@dataclass(frozen=True)
class ViewJoin:
    """The features of one view that are asked for, and how they are called in the output."""

    table: ViewTable
    features: Sequence[str]
    full_feature_names: bool

    @property
    def columns(self) -> dict[str, str]:
        """Feature to output column: the view's name stands before it where asked for."""
        prefix = f"{self.table.view.projection.name_to_use()}__" if self.full_feature_names else ""
        return {feature: f"{prefix}{feature}" for feature in self.features}

    def keys(self, entities: pl.DataFrame) -> pl.DataFrame:
        """The view's join keys out of the entities, which may call them otherwise.

        Raises:
            EntityFrameError: a column is absent, or holds what cannot be such a key.
        """
        renamed = self.table.view.projection.join_key_map
        columns = {key: renamed.get(key, key) for key in self.table.keys}
        return key_columns(entities, columns, self.table.keys)

    def join(self, entities: pl.DataFrame) -> pl.DataFrame:
        """The output columns, row by row of the entities.

        Raises:
            SourceError: the view's table is absent or is not as declared.
            EntityFrameError: the entities cannot be joined.
        """
        times = [c for c in (EVENT_TIMESTAMP, KNOWN_AS_OF) if c in entities.columns]
        keyed = pl.concat([self.keys(entities), entities.select(times)], how="horizontal")
        seen = join_as_of(
            keyed, self._steps(entities), keys=list(self.table.keys), ttl=self.table.view.ttl
        )
        return seen.select(pl.col(name).alias(to) for name, to in self.columns.items())

    def _steps(self, entities: pl.DataFrame) -> pl.DataFrame:
        """The steps that some row may see: none after the last T, none expired at the first."""
        steps = self.table.scan(self.features)
        at = entities.get_column(EVENT_TIMESTAMP)
        if len(at) > at.null_count():
            steps = steps.filter(pl.col(EVENT_TIMESTAMP) <= cast(datetime, at.max()))
            if self.table.view.ttl:
                oldest = cast(datetime, at.min()) - cast(timedelta, self.table.view.ttl)
                steps = steps.filter(pl.col(EVENT_TIMESTAMP) >= oldest)
        return self.table.table.collect(steps)
