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
_STATUSES, _NAMED, _KIND, _STEP = "statuses", "__named", "__kind:", "__step:"
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

    def newest(self, most: int) -> ServedRows:
        """The rows that were answered last, at most so many."""
        order = pl.select(pl.lit(self.answered).arg_sort()).to_series()
        return self.take(order.tail(most))


def status_columns(views: ServiceViews) -> list[pl.Expr]:
    """What `served_rows` needs of the statuses in the log of predictions.

    Of a view's features the first one says what is asked of the view.
    """
    names = pl.col(_STATUSES).list.eval(pl.element().struct.field("feature")).list.join("\n")
    found = [(names == "\n".join(views.features)).alias(_NAMED)]
    for view in views.listed_stored:
        status = pl.col(_STATUSES).list.get(views.position(view.name), null_on_oob=True).struct
        kind = status.field("status").replace_strict(KINDS, return_dtype=KIND_TYPE)
        found.append(kind.alias(f"{_KIND}{view.name}"))
        step = status.field("step_timestamp").to_physical()
        found.append(step.alias(f"{_STEP}{view.name}"))
    return found


def unread_columns(views: ServiceViews) -> list[str]:
    """The columns of the log of features that `served_rows` does not look at."""
    columns = [column for view in views.listed for column in view.columns]
    return [f"{column}__{what}" for column in columns for what in ("timestamp", "status")]


def served_rows(
    views: ServiceViews, predictions: pl.DataFrame, features: pl.DataFrame
) -> ServedRows:
    """The requests that are in both tables of the log, each once; all of one fingerprint.

    `predictions` has the columns of `status_columns`.

    Raises:
        ServedLogError: they have other features than the service.
    """
    asked = predictions.unique(REQUEST_ID, keep="first", maintain_order=True)
    if not asked.get_column(_NAMED).all():
        raise ServedLogError.other_features(views.service.name, asked["fingerprint"][0])
    seen = [view.name for view in views.listed_stored]
    own = pl.col(f"^({_KIND}|{_STEP}).*$")
    rows = features.join(
        asked.select(REQUEST_ID, EVENT_TIMESTAMP, LOGGED_AT, own),
        left_on=FEATURES_REQUEST_ID,
        right_on=REQUEST_ID,
        how="inner",
        maintain_order="left",
    )
    computed = [column for view in views.listed for column in view.columns]
    given = [n for n in rows.columns if n not in computed and not n.startswith("__")]
    return ServedRows(
        service=views.service.name,
        request_ids=rows.get_column(FEATURES_REQUEST_ID),
        answered=rows.get_column(LOGGED_AT),
        entities=rows.select(n for n in given if n != LOGGED_AT),
        values=rows.select(computed),
        kinds=rows.select(pl.col(f"{_KIND}{name}").alias(name) for name in seen),
        steps=rows.select(pl.col(f"{_STEP}{name}").alias(name) for name in seen),
    )
