"""What was served, as the log of served features takes it: columns, not objects a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeVar
from zlib import crc32

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serving.errors import ServingError

# What Feast's types are in a log (its FEAST_TYPE_TO_ARROW_TYPE), without importing Feast.
_ARROW_TYPES: dict[str, pa.DataType] = {
    "Bool": pa.bool_(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
    "String": pa.string(),
}
_T = TypeVar("_T")


class LogSchemaError(ServingError):
    """A feature service whose features cannot be logged as it is declared."""

    @classmethod
    def unknown_type(cls, column: str, feast_type: str) -> LogSchemaError:
        return cls(
            f"column {column!r} is of type {feast_type}, which the log of served features lacks",
            next_step=f"declare it as one of {sorted(_ARROW_TYPES)}",
        )

    @classmethod
    def other_columns(cls, feature_service: str, odd: set[str]) -> LogSchemaError:
        return cls(
            f"the columns of the log of {feature_service!r} do not fit its keys, request columns "
            f"and features: {sorted(odd)[:5]} are in one of them only",
            next_step="name in `columns` each of them once, with one type",
        )


@dataclass(frozen=True)
class LoggedFeature:
    """A feature of the service, its column `<view>__<feature>` and its Feast type as text.

    Only numbers are served: of a String the status is logged, and null for its value.
    """

    name: str
    column: str
    type: str


@dataclass(frozen=True)
class LogSchema:
    """The columns of what one feature service serves, in Feast's logging schema.

    `columns` has keys, request columns and values, each with its Feast type, in the order of
    Feast's `FeatureServiceLoggingSource`. Without it: keys, request columns, features, and
    the first two are Int64.

    Raises:
        LogSchemaError: a type that is no number's and not text, or `columns` lacks one.

    >>> n = LoggedFeature("n", column="cards__n", type="Int64")
    >>> LogSchema("fraud", "cards_v1", ("card",), (), (n,)).layout
    (('card', 'Int64'), ('cards__n', 'Int64'))
    """

    use_case: str
    feature_service: str
    join_keys: tuple[str, ...]
    request_columns: tuple[str, ...]
    features: tuple[LoggedFeature, ...]
    columns: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        declared = set(self._layout(dict(self.columns)))
        if odd := set(self.layout) ^ declared:
            raise LogSchemaError.other_columns(self.feature_service, {name for name, _ in odd})
        for column, feast_type in self.layout:
            if feast_type not in _ARROW_TYPES:
                raise LogSchemaError.unknown_type(column, feast_type)

    @property
    def layout(self) -> tuple[tuple[str, str], ...]:
        """Keys, request columns and values with their Feast types, in order."""
        return self.columns or self._layout({})

    @cached_property
    def arrow_types(self) -> dict[str, pa.DataType]:
        """The same columns with their Arrow types, in order."""
        return {column: _ARROW_TYPES[feast_type] for column, feast_type in self.layout}

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where the feature of each value column is in `features`."""
        return {feature.column: position for position, feature in enumerate(self.features)}

    def _layout(self, types: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        given = (*self.join_keys, *self.request_columns)
        inputs = ((name, types.get(name, "Int64")) for name in given)
        return (*inputs, *((feature.column, feature.type) for feature in self.features))


@dataclass(frozen=True, eq=False)
class ServedRows:
    """One batch that one model answered; a row a request.

    It is kept until it has been written: nobody may change its arrays, and they should not be
    parts of larger ones. `threshold` is that of `decisions`, both None where nothing is
    decided; `outputs` (rows, width) are those of a model that answers with several numbers.
    Times are microseconds UTC: `t_us` is T, `logged_us` when it was answered, `event_us`
    (rows, features) the event time of the step that was read, NO_TIME where there is none.
    `values` (rows, features) has NaN for null; `codes` the statuses as positions in
    FeatureStatus; `ages` seconds, NaN where not known.
    """

    schema: LogSchema
    model_name: str
    model_version: int
    alias: Literal["champion", "challenger"]
    fingerprint: str
    threshold: float | None
    request_ids: Sequence[str]
    t_us: Sequence[int]
    logged_us: int
    entity_ids: Mapping[str, Sequence[int]]
    request_values: Mapping[str, Sequence[int | float]]
    values: NDArray[np.float64]
    codes: NDArray[np.uint8]
    ages: NDArray[np.float64]
    event_us: NDArray[np.int64]
    scores: NDArray[np.float64]
    decisions: Sequence[str | None]
    outputs: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.request_ids)

    def take(self, positions: Sequence[int]) -> ServedRows:
        """The rows at `positions`, copied: the others can be forgotten."""
        at = np.asarray(positions, np.intp)
        return replace(
            self,
            request_ids=[self.request_ids[i] for i in positions],
            t_us=[self.t_us[i] for i in positions],
            entity_ids=_taken(self.entity_ids, positions),
            request_values=_taken(self.request_values, positions),
            values=self.values[at],
            codes=self.codes[at],
            ages=self.ages[at],
            event_us=self.event_us[at],
            scores=self.scores[at],
            decisions=[self.decisions[i] for i in positions],
            outputs=None if self.outputs is None else self.outputs[at],
        )

    def is_whole(self) -> bool:
        """Whether every column that the schema names is there and has a cell for each row."""
        rows, shape = len(self), (len(self), len(self.schema.features))
        matrices = (self.values, self.codes, self.ages, self.event_us)
        lengths = [len(self.t_us), len(self.decisions), len(self.scores)]
        lengths += [] if self.outputs is None else [len(self.outputs)]
        lengths += [len(self.entity_ids.get(key, ())) for key in self.schema.join_keys]
        lengths += [len(self.request_values.get(n, ())) for n in self.schema.request_columns]
        return lengths == [rows] * len(lengths) and all(m.shape == shape for m in matrices)


def is_sampled(request_id: str, share: float) -> bool:
    """Whether a request is among the `share` in [0, 1] of all that is logged.

    It depends on the id alone, so all models, tables and processes agree.

    >>> [id for id in "abcdefgh" if is_sampled(id, 0.5)]
    ['b', 'c', 'f', 'g']
    """
    return crc32(request_id.encode()) < share * 2**32


def _taken(columns: Mapping[str, Sequence[_T]], positions: Sequence[int]) -> dict[str, list[_T]]:
    return {name: [cells[i] for i in positions] for name, cells in columns.items()}
