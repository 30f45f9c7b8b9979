"""Served rows as the two tables of the log; nothing is written here.

Features are in Feast's logging schema, so that Feast reads them, to the column. Predictions
are in one schema for all services of a use case, so that one scan reads all of them: statuses
are a list of structs, `explode("statuses").unnest("statuses")` gives a row a feature. A
column a feature would differ from service to service, and Polars reads a map as such a list
too, with less telling names. `step_timestamp` is exact: Feast's `__timestamp` has whole
seconds, rounded down.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lockstep.contract.served_log import FEATURES_REQUEST_ID, LOG_DATE, LOG_TIMESTAMP
from lockstep.contract.status import FeatureStatus
from lockstep.stores.feature_vectors import NO_TIME
from lockstep.windows.microseconds import SECOND_US
from serving.errors import ServingError
from serving.served_rows import LogSchema, ServedRows

DAY_US = 86_400 * SECOND_US

_UTC_SECONDS, _UTC_TIME = pa.timestamp("s", "UTC"), pa.timestamp("us", "UTC")
# The numbers of Feast's FieldStatus; a step that was not known at T is none of its kinds.
FEAST_STATUSES = {
    FeatureStatus.NOT_FOUND: 3,
    FeatureStatus.FUTURE: 0,
    FeatureStatus.EXPIRED: 4,
    FeatureStatus.STALE: 4,
    FeatureStatus.NULL: 2,
    FeatureStatus.PRESENT: 1,
}
_FEAST_NUMBERS = np.array([FEAST_STATUSES[status] for status in FeatureStatus], np.int32)
_NAMES = pa.array([status.value for status in FeatureStatus])
_STATUS = pa.struct(
    [
        ("feature", pa.string()),
        ("status", pa.string()),
        ("age_seconds", pa.float64()),
        ("step_timestamp", _UTC_TIME),
    ]
)
_STATUS_NAMES = ("statuses.list.element.feature", "statuses.list.element.status")


class ServedRowsError(ServingError):
    """Rows that cannot be logged."""

    @classmethod
    def not_whole(cls, rows: ServedRows) -> ServedRowsError:
        return cls(
            f"rows of model {rows.model_name!r} lack columns or cells of their schema",
            next_step="give each column of the schema a cell for each request id",
        )


class LogTables(NamedTuple):
    """The same rows, in order, as both tables have them."""

    request_ids: list[str]
    features: pa.Table
    predictions: pa.Table

    @classmethod
    def of(cls, schema: LogSchema, batches: Sequence[ServedRows]) -> LogTables:
        """The tables of batches of one schema, whose rows follow each other.

        Raises:
            ServedRowsError: a batch lacks columns or cells.
            pa.ArrowInvalid: a value is no number of its declared type.
            IndexError: there is no status of a code.
        """
        rows = _Rows(schema, batches)
        return cls(rows.request_ids, rows.features(), rows.predictions())


def repeating(table: pa.Table) -> list[str]:
    """Columns of either table whose cells are often equal, by their names in parquet.

    Dictionaries for the others too took .6 times longer to write and a quarter more bytes.
    """
    alone = {FEATURES_REQUEST_ID, "request_id", "score", "outputs", "statuses"}
    cells = (c for c in table.column_names if c not in alone and not c.endswith("__timestamp"))
    return [*cells, *(name for name in _STATUS_NAMES if "statuses" in table.column_names)]


class _Rows:
    """Batches of one schema, stacked."""

    def __init__(self, schema: LogSchema, batches: Sequence[ServedRows]) -> None:
        for rows in batches:
            if not rows.is_whole():
                raise ServedRowsError.not_whole(rows)
        self._schema, self._batches = schema, batches
        lengths = [len(rows) for rows in batches]
        self._batch_of_row = pa.array(np.repeat(np.arange(len(batches)), lengths))
        self.request_ids: list[str] = self._listed("request_ids")
        self._codes, self._event_us = self._stacked("codes"), self._stacked("event_us")
        self._log_us = self._repeated("logged_us", pa.int64()).to_numpy()

    def features(self) -> pa.Table:
        """In the schema of Feast's FeatureServiceLoggingSource."""
        columns: dict[str, pa.Array] = {}
        # Columns, each contiguous: three passes over the matrices instead of one a feature.
        values = np.ascontiguousarray(self._stacked("values").T)
        nulls, statuses = np.isnan(values), np.ascontiguousarray(_FEAST_NUMBERS[self._codes].T)
        event_us = np.ascontiguousarray(self._event_us.T)
        seconds, unknown = event_us // SECOND_US, event_us == NO_TIME
        for name, kind in self._schema.arrow_types.items():
            at = self._schema.positions.get(name)
            if at is None:
                columns[name] = self._given(name, kind)
                continue
            columns[name] = _typed(values[at], nulls[at], kind)
            times = pa.array(seconds[at], type=_UTC_SECONDS, mask=unknown[at])
            columns[f"{name}__timestamp"] = times
            columns[f"{name}__status"] = pa.array(statuses[at])
        columns[LOG_TIMESTAMP] = pa.array(self._log_us, type=_UTC_TIME)
        columns[LOG_DATE] = pa.array((self._log_us // DAY_US).astype(np.int32), type=pa.date32())
        columns[FEATURES_REQUEST_ID] = pa.array(self.request_ids, pa.string())
        return pa.table(columns)

    def predictions(self) -> pa.Table:
        """What the model answered, and what was known of each feature."""
        columns = {
            "request_id": pa.array(self.request_ids, pa.string()),
            "event_timestamp": pa.array(self._listed("t_us"), _UTC_TIME),
            "logged_at": pa.array(self._log_us, type=_UTC_TIME),
            "use_case": self._constant(self._schema.use_case),
            "feature_service": self._constant(self._schema.feature_service),
            "model_name": self._repeated("model_name", pa.string()),
            "model_version": self._repeated("model_version", pa.int64()),
            "alias": self._repeated("alias", pa.string()),
            "fingerprint": self._repeated("fingerprint", pa.string()),
            "outputs": self._outputs(),
            "score": pa.array(np.concatenate([rows.scores for rows in self._batches])),
            "threshold": self._repeated("threshold", pa.float64()),
            "decision": pa.array(self._listed("decisions"), pa.string()),
            "statuses": self._statuses(),
        }
        return pa.table(columns)

    def _outputs(self) -> pa.Array:
        """Null for models whose score is all that they answer."""
        kind = pa.list_(pa.float64())
        if all(rows.outputs is None for rows in self._batches):
            return pa.nulls(len(self.request_ids), kind)
        cells = [
            [None] * len(rows) if rows.outputs is None else rows.outputs.tolist()
            for rows in self._batches
        ]
        return pa.array(list(chain.from_iterable(cells)), kind)

    def _statuses(self) -> pa.Array:
        rows, width = self._codes.shape
        names = pa.array([feature.name for feature in self._schema.features], pa.string())
        ages, event_us = self._stacked("ages").ravel(), self._event_us.ravel()
        cells = [
            names.take(pa.array(np.tile(np.arange(width), rows))),
            _NAMES.take(pa.array(self._codes.ravel())),
            pa.array(ages, mask=np.isnan(ages)),
            pa.array(event_us, type=_UTC_TIME, mask=event_us == NO_TIME),
        ]
        offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width, pa.int32())
        return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(cells, fields=_STATUS))

    def _given(self, name: str, kind: pa.DataType) -> pa.Array:
        """A join key or request column."""
        source = "entity_ids" if name in self._schema.join_keys else "request_values"
        cells = chain.from_iterable(getattr(rows, source)[name] for rows in self._batches)
        # Not at once in its type, which would cut a fraction off.
        return pa.array(list(cells)).cast(kind)

    def _listed(self, column: str) -> list[Any]:
        return list(chain.from_iterable(getattr(rows, column) for rows in self._batches))

    def _stacked(self, matrix: str) -> NDArray[Any]:
        return np.concatenate([getattr(rows, matrix) for rows in self._batches])

    def _repeated(self, column: str, kind: pa.DataType) -> pa.Array:
        """What is said once a batch, for each of its rows."""
        cells = pa.array([getattr(rows, column) for rows in self._batches], kind)
        return cells.take(self._batch_of_row)

    def _constant(self, text: str) -> pa.Array:
        return pa.repeat(pa.scalar(text, pa.string()), len(self.request_ids))


def _typed(values: NDArray[np.float64], nulls: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    """The values in their declared type: a fraction is no integer and nothing is cut off."""
    if pa.types.is_string(kind):
        return pa.nulls(len(values), kind)
    if pa.types.is_boolean(kind):
        return pa.array(values != 0, mask=nulls)
    return pa.array(values, mask=nulls).cast(kind)
