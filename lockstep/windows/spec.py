"""What a windowed feature table is: keys, source, windows and aggregations."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from lockstep.windows.duration import bar_count, duration_us
from lockstep.windows.errors import WindowSpecError
from lockstep.windows.functions import FUNCTIONS, ValueType, WindowFunction

EVENT_TIMESTAMP = "event_timestamp"
CREATED_TIMESTAMP = "created_timestamp"
VALID_UNTIL = "valid_until_us"
DELETED = "is_deleted"
_OWN_COLUMNS = {EVENT_TIMESTAMP, CREATED_TIMESTAMP, VALID_UNTIL, DELETED}


@dataclass(frozen=True)
class Aggregation:
    """One statistic over every window of a spec.

    `function` is a name in `lockstep.windows.functions.FUNCTIONS`, which says what each
    needs and what it answers for an empty window. `column` is an integer column with a
    declared scale; `where` is a 0/1 column, and only rows with a one count. `what` is the
    noun in the feature's name, where it is not the column's.
    """

    function: str
    column: str | None = None
    what: str | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise WindowSpecError.unknown_function(self.function, FUNCTIONS)
        if self.definition.needs_column and self.column is None:
            raise WindowSpecError.bad_aggregation(f"{self.function!r} needs a column")
        if self.what is None and self.column is None:
            raise WindowSpecError.bad_aggregation(
                f"{self.function!r} without a column needs `what`: the noun in its name"
            )

    @property
    def definition(self) -> WindowFunction:
        """What the function computes."""
        return FUNCTIONS[self.function]

    @property
    def noun(self) -> str:
        """What is measured, as it stands in the feature's name."""
        return self.what or self.column or ""

    @property
    def value_type(self) -> ValueType:
        """The type of the finished value."""
        return self.definition.value_type

    @property
    def columns(self) -> tuple[str, ...]:
        """The source columns that it reads."""
        return tuple(name for name in (self.column, self.where) if name is not None)

    def name(self, entity: str, window: str) -> str:
        """The feature's name over one window."""
        return f"{entity}_{self.noun}_{self.function}_{window}"


@dataclass(frozen=True)
class Ratio:
    """One whole-number aggregation over another, such as bad days over active days.

    Null where `to` is zero or null. The two need not stand in the table themselves.
    """

    what: str
    of: Aggregation
    to: Aggregation

    def __post_init__(self) -> None:
        for part in (self.of, self.to):
            if part.value_type != "int64":
                raise WindowSpecError.bad_aggregation(
                    f"{self.what!r} divides {part.function!r}, which is no whole number"
                )

    def name(self, entity: str, window: str) -> str:
        """The feature's name over one window."""
        return f"{entity}_{self.what}_{window}"


@dataclass(frozen=True)
class WindowSpec:
    """A table of step functions, one entity key after another.

    An event known at t counts at T exactly when t < T < t + w, for each window w.
    `source` names the lake table of the events. Features are called
    `<entity>_<what>_<function>_<window>`, ratios `<entity>_<what>_<window>`.

    `resolution` puts arrivals and expiries on a grid (the next whole minute, hour, day),
    so that a hot entity has at most one step a grid point; the edges of the windows move
    up to it. With `snapshots` there is a row at every grid point while the longest window
    holds anything and one more when it no longer does: what a daily mart is. A snapshot
    at s reflects what was known before s.

    `bar` says that the rows are bars: one each `bar` (such as `4h`), known at its end.
    Windows are counted in bars then (`200b`), and a bar counts when t < T <= t + w: the
    oldest leaves as the next one arrives. A window that holds fewer than `least_bars` has
    no value at all: warm-up and long gaps are null, short gaps are bridged.

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
    ratios: tuple[Ratio, ...] = ()
    resolution: str | None = None
    snapshots: bool = False
    bar: str | None = None

    def __post_init__(self) -> None:
        if not (self.entity_keys and self.windows and (self.aggregations or self.ratios)):
            raise WindowSpecError.bad_aggregation(
                f"{self.name!r} needs at least one entity key, window and aggregation"
            )
        barless = sorted({p.function for p in self.parts if p.definition.needs_bar})
        if barless and self.bar is None:
            raise WindowSpecError.no_bar(self.name, barless)
        lengths = list(self.lengths_us)
        if lengths != sorted(set(lengths)):
            raise WindowSpecError.bad_aggregation(
                f"the windows of {self.name!r} must grow, got {list(self.windows)}"
            )
        if self.resolution is not None:
            duration_us(self.resolution)
        elif self.snapshots:
            raise WindowSpecError.bad_aggregation(
                f"{self.name!r} has snapshots but no resolution to say when"
            )
        if own := sorted(_OWN_COLUMNS.intersection((*self.entity_keys, *self.value_columns))):
            raise WindowSpecError.bad_aggregation(
                f"{self.name!r} has keys or values {own}, names of the core's own columns"
            )
        names = list(self.entity_keys)
        names += [f.name(self.entity, w) for f in self._all_features for w in self.windows]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise WindowSpecError.bad_aggregation(f"{self.name!r} has two columns {twice[:5]}")

    @property
    def table(self) -> str:
        """The lake table of the steps: beside the source's, under the spec's name."""
        return f"{self.source.rpartition('/')[0]}/{self.name}".lstrip("/")

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex of all that the spec says: it changes when a step's value may."""
        said = asdict(self)
        if self.bar is None:
            del said["bar"]  # a model whose views have none was trained before there were bars
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def lengths_us(self) -> tuple[int, ...]:
        """The windows in microseconds, shortest first."""
        if self.bar is None:
            return tuple(duration_us(window) for window in self.windows)
        return tuple(bars * duration_us(self.bar) for bars in self.bars)

    @property
    def expiries_us(self) -> tuple[int, ...]:
        """How long after its event time a row leaves each window."""
        return tuple(length + int(self.bar is not None) for length in self.lengths_us)

    @property
    def bars(self) -> tuple[int, ...]:
        """How many bars each window has when none is missing; zeros for rows that are none."""
        if self.bar is None:
            return (0,) * len(self.windows)
        return tuple(bar_count(window) for window in self.windows)

    @property
    def grid_us(self) -> int:
        """The distance of the grid's points; 1 without a resolution."""
        return 1 if self.resolution is None else duration_us(self.resolution)

    @property
    def reach_us(self) -> int:
        """A step at s depends only on events at or after s - reach."""
        return self.lengths_us[-1] + self.grid_us

    @property
    def parts(self) -> tuple[Aggregation, ...]:
        """Every aggregation that is computed, the ratios' included, each once."""
        within = (part for ratio in self.ratios for part in (ratio.of, ratio.to))
        return tuple(dict.fromkeys((*self.aggregations, *within)))

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The columns that the aggregations read, filters included, each once, in order."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.columns))

    @property
    def source_columns(self) -> tuple[str, ...]:
        """What the core needs of the source, without the optional `is_deleted`."""
        columns = (*self.entity_keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP, *self.value_columns)
        return tuple(dict.fromkeys(columns))

    def feature(self, aggregation: Aggregation, window: str) -> str:
        """The name of one aggregation's feature."""
        return aggregation.name(self.entity, window)

    def features(self) -> dict[str, ValueType]:
        """Every feature's name and type, in the order of the table's columns."""
        kinds: list[ValueType] = [a.value_type for a in self.aggregations]
        kinds += ["float64"] * len(self.ratios)
        return {
            feature.name(self.entity, window): kind
            for feature, kind in zip(self._all_features, kinds, strict=True)
            for window in self.windows
        }

    @property
    def _all_features(self) -> tuple[Aggregation | Ratio, ...]:
        return (*self.aggregations, *self.ratios)
