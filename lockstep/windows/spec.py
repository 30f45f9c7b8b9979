"""What a windowed feature table is: keys, source, windows and aggregations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lockstep.windows.duration import duration_us
from lockstep.windows.errors import WindowSpecError

AggregationFunction = Literal["count", "sum", "mean", "rate"]
ValueType = Literal["int64", "float64"]

EVENT_TIMESTAMP = "event_timestamp"
CREATED_TIMESTAMP = "created_timestamp"
VALID_UNTIL = "valid_until_us"

_VALUE_TYPES: dict[AggregationFunction, ValueType] = {
    "count": "int64",
    "sum": "int64",
    "mean": "float64",
    "rate": "float64",
}


@dataclass(frozen=True)
class Aggregation:
    """One statistic over every window of a spec.

    `count` needs no column. `sum` and `mean` take an integer column with a declared
    scale; `rate` is the share of ones in a 0/1 column. `mean` and `rate` of an empty
    window are null; `count` and `sum` are 0.
    """

    function: AggregationFunction
    column: str | None = None
    what: str | None = None

    def __post_init__(self) -> None:
        if self.function != "count" and self.column is None:
            raise WindowSpecError.bad_aggregation(f"{self.function!r} needs a column")
        if self.what is None and self.column is None:
            raise WindowSpecError.bad_aggregation("a count needs `what`: the noun it counts")

    @property
    def noun(self) -> str:
        """What is measured, as it stands in the feature's name."""
        return self.what or self.column or ""

    @property
    def value_type(self) -> ValueType:
        """The type of the finished value."""
        return _VALUE_TYPES[self.function]


@dataclass(frozen=True)
class WindowSpec:
    """A table of step functions, one entity key after another.

    An event known at t counts at T exactly when t < T < t + w, for each window w.
    `source` names the lake table of the events. Features are called
    `<entity>_<what>_<function>_<window>`.

    >>> spec = WindowSpec("card_windows", source="bank/payments", entity="card",
    ...                   entity_keys=("card_id",), windows=("1d",),
    ...                   aggregations=(Aggregation("count", what="payment"),))
    >>> spec.features()
    {'card_payment_count_1d': 'int64'}
    """

    name: str
    source: str
    entity: str
    entity_keys: tuple[str, ...]
    windows: tuple[str, ...]
    aggregations: tuple[Aggregation, ...]

    def __post_init__(self) -> None:
        if not (self.entity_keys and self.windows and self.aggregations):
            raise WindowSpecError.bad_aggregation(
                f"{self.name!r} needs at least one entity key, window and aggregation"
            )
        lengths = list(self.lengths_us)
        if lengths != sorted(set(lengths)):
            raise WindowSpecError.bad_aggregation(
                f"the windows of {self.name!r} must grow, got {list(self.windows)}"
            )

    @property
    def table(self) -> str:
        """The lake table of the steps: beside the source's, under the spec's name."""
        return f"{self.source.rpartition('/')[0]}/{self.name}".lstrip("/")

    @property
    def lengths_us(self) -> tuple[int, ...]:
        """The windows in microseconds, shortest first."""
        return tuple(duration_us(window) for window in self.windows)

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The integer columns that the aggregations read, each once, in order."""
        columns = (a.column for a in self.aggregations if a.column is not None)
        return tuple(dict.fromkeys(columns))

    def feature(self, aggregation: Aggregation, window: str) -> str:
        """The name of one feature."""
        return f"{self.entity}_{aggregation.noun}_{aggregation.function}_{window}"

    def features(self) -> dict[str, ValueType]:
        """Every feature's name and type, in the order of the table's columns."""
        return {
            self.feature(aggregation, window): aggregation.value_type
            for aggregation in self.aggregations
            for window in self.windows
        }
