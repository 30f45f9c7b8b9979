"""What one feature service answered, a row a request, as it is laid beside the offline join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from lockstep.contract.served_log import (
    EVENT_TIMESTAMP,
    FEATURES_REQUEST_ID,
    LOGGED_AT,
    REQUEST_ID,
)
from lockstep.contract.status import FeatureStatus
from lockstep.parity.errors import ServedLogError
from lockstep.parity.service_views import ServiceViews

# What a status says of the step that was read; the others say more of its value.
NOT_FOUND, FUTURE, EXPIRED, FOUND = "NOT_FOUND", "FUTURE", "EXPIRED", "FOUND"
KIND_TYPE = pl.Enum([NOT_FOUND, FUTURE, EXPIRED, FOUND])
KINDS = {status.value: FOUND for status in FeatureStatus} | {
    name: name for name in (NOT_FOUND, FUTURE, EXPIRED)
}


@dataclass(frozen=True)
class ServedRows:
    """Rows of one service; all frames have its requests in one order.

    `entities` has the join keys, the request's columns and `event_timestamp`, which is T.
    `answered` says when, `values` has a column `<view>__<feature>` for each feature, `kinds`
    and `steps` one for each stored view that the service lists: NOT_FOUND, FUTURE, EXPIRED or
    FOUND, and the event time of the step that was read in microseconds UTC, null for none.
    """

    service: str
    request_ids: pl.Series
    answered: pl.Series
    entities: pl.DataFrame
    values: pl.DataFrame
    kinds: pl.DataFrame
    steps: pl.DataFrame

    @classmethod
    def joined(cls, parts: Sequence[ServedRows]) -> ServedRows:
        """The rows of all parts of one service, of which there is at least one."""
        return cls(
            parts[0].service,
            pl.concat([part.request_ids for part in parts]),
            pl.concat([part.answered for part in parts]),
            pl.concat([part.entities for part in parts]),
            pl.concat([part.values for part in parts]),
            pl.concat([part.kinds for part in parts]),
            pl.concat([part.steps for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.request_ids)

    def take(self, rows: pl.Series) -> ServedRows:
        """The rows of these numbers."""
        return ServedRows(
            self.service,
            self.request_ids.gather(rows),
            self.answered.gather(rows),
            *(frame[rows] for frame in (self.entities, self.values, self.kinds, self.steps)),
        )


def served_rows(
    views: ServiceViews, predictions: pl.DataFrame, features: pl.DataFrame
) -> ServedRows:
    """The requests that are in both tables of the log, each once; all of one fingerprint.

    Raises:
        ServedLogError: they have other features than the service.
    """
    asked = predictions.unique(REQUEST_ID, keep="first", maintain_order=True)
    _check_features(views, asked)
    seen = {
        view.name: pl.col("statuses").list.get(views.position(view.name)).struct
        for view in views.listed_stored
    }
    known = asked.select(
        REQUEST_ID,
        EVENT_TIMESTAMP,
        LOGGED_AT,
        *(
            s.field("status").replace_strict(KINDS, return_dtype=KIND_TYPE).alias(f"__kind:{n}")
            for n, s in seen.items()
        ),
        *(s.field("step_timestamp").to_physical().alias(f"__step:{n}") for n, s in seen.items()),
    )
    rows = features.join(
        known,
        left_on=FEATURES_REQUEST_ID,
        right_on=REQUEST_ID,
        how="inner",
        maintain_order="left",
    )
    computed = {column for view in views.listed for column in view.columns}
    beside = {
        *computed,
        *(f"{column}__{what}" for column in computed for what in ("timestamp", "status")),
    }
    given = [name for name in rows.columns if name not in beside and not name.startswith("__")]
    return ServedRows(
        service=views.service.name,
        request_ids=rows.get_column(FEATURES_REQUEST_ID),
        answered=rows.get_column(LOGGED_AT),
        entities=rows.select(n for n in given if n != LOGGED_AT),
        values=rows.select(column for view in views.listed for column in view.columns),
        kinds=rows.select(pl.col(f"__kind:{name}").alias(name) for name in seen),
        steps=rows.select(pl.col(f"__step:{name}").alias(name) for name in seen),
    )


def _check_features(views: ServiceViews, asked: pl.DataFrame) -> None:
    """Raises where the statuses are not those of the service's features, in its order."""
    names = pl.col("statuses").list.eval(pl.element().struct.field("feature"))
    told = asked.select(names.list.join("\n").unique()).to_series()
    if told.to_list() != ["\n".join(views.features)]:
        raise ServedLogError.other_features(views.service.name, asked["fingerprint"][0])
