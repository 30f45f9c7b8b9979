"""The status of every value of a training frame, by the algebra of `lockstep.contract.status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lockstep.contract.status import FeatureStatus
from lockstep.stores.asof import Seen
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import VALID_UNTIL

_FOUND, _EXPIRED, _T = "__found", "__expired", "__t"

STATUS_TYPE = pl.Enum([status.value for status in FeatureStatus])


@dataclass(frozen=True)
class StatusRule:
    """What makes the values of one view stale; see `status_at` for the meaning.

    `horizon` is that of the view's table, None where nobody recorded it.
    """

    horizon: datetime | None = None
    max_age_us: int | None = None

    def statuses(
        self, values: pl.DataFrame, columns: Mapping[str, str], *, seen: Seen, at: pl.Series
    ) -> pl.DataFrame:
        """A column of statuses for each feature, under the name that `columns` gives it.

        `values` are what the rows see, `valid_until_us` among them where the view has it;
        `at` are their T.
        """
        marks = {_FOUND: seen.rows.is_not_null(), _EXPIRED: seen.expired, _T: at.to_physical()}
        rows = pl.concat([values, pl.DataFrame(marks)], how="horizontal")
        stale = self._stale(VALID_UNTIL in values.columns)
        return rows.select(
            pl.when(~pl.col(_FOUND))
            .then(_literal(FeatureStatus.NOT_FOUND))
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
        if self.horizon is None:
            return stale
        horizon = microseconds(self.horizon)
        if self.max_age_us is not None:
            stale |= t - horizon > self.max_age_us
        return stale & (t >= horizon)


def _literal(status: FeatureStatus) -> pl.Expr:
    return pl.lit(status.value, dtype=STATUS_TYPE)
