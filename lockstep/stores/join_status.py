"""The status of every value of a training frame, by the algebra of `lockstep.contract.status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lockstep.contract.status import FeatureStatus
from lockstep.stores.asof import ASKED_AT, Seen, asked_at
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import EVENT_TIMESTAMP, VALID_UNTIL

_FOUND, _FUTURE, _EXPIRED = "__found", "__future", "__expired"
_T, _HORIZON = "__t", "__horizon"

STATUS_TYPE = pl.Enum([status.value for status in FeatureStatus])


@dataclass(frozen=True)
class StatusRule:
    """What makes the values of one view stale; see `status_at` for the meaning.

    `horizon` is that of the view's table, None where nobody recorded it. Rows that see only
    what was visible see a view that was exact up to their event_timestamp.
    """

    horizon: datetime | None = None
    max_age_us: int | None = None

    def statuses(
        self,
        values: pl.DataFrame,
        columns: Mapping[str, str],
        *,
        seen: Seen,
        entities: pl.DataFrame,
    ) -> pl.DataFrame:
        """A column of statuses for each feature, under the name that `columns` gives it.

        `values` are what the rows of `entities` see, `valid_until_us` among them where the
        view has it.
        """
        marks = {
            _FOUND: seen.rows.is_not_null(),
            _FUTURE: seen.future,
            _EXPIRED: seen.expired,
            _T: asked_at(entities).to_physical(),
            _HORIZON: self._horizons(entities),
        }
        rows = pl.concat([values, pl.DataFrame(marks)], how="horizontal")
        stale = self._stale(VALID_UNTIL in values.columns)
        return rows.select(
            pl.when(~pl.col(_FOUND))
            .then(_literal(FeatureStatus.NOT_FOUND))
            .when(_FUTURE)
            .then(_literal(FeatureStatus.FUTURE))
            .when(_EXPIRED)
            .then(_literal(FeatureStatus.EXPIRED))
            .when(stale)
            .then(_literal(FeatureStatus.STALE))
            .when(pl.col(name).is_null())
            .then(_literal(FeatureStatus.NULL))
            .otherwise(_literal(FeatureStatus.PRESENT))
            .alias(to)
            for name, to in columns.items()
        )

    def _stale(self, has_valid_until: bool) -> pl.Expr:
        t, stale = pl.col(_T), pl.lit(False)
        if has_valid_until:
            stale = (t >= pl.col(VALID_UNTIL)).fill_null(False)
        horizon = pl.col(_HORIZON)
        if self.max_age_us is not None:
            stale |= (t - horizon > self.max_age_us).fill_null(False)
        return stale & (t >= horizon).fill_null(True)

    def _horizons(self, entities: pl.DataFrame) -> pl.Series:
        """The first T that is not exact, in microseconds, of each row."""
        if ASKED_AT in entities.columns:
            return entities.get_column(EVENT_TIMESTAMP).to_physical() + 1
        horizon = None if self.horizon is None else microseconds(self.horizon)
        return pl.repeat(horizon, len(entities), dtype=pl.Int64, eager=True)


def _literal(status: FeatureStatus) -> pl.Expr:
    return pl.lit(status.value, dtype=STATUS_TYPE)
