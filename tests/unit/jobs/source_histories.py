"""Random histories of a source: late rows, ties, deletions; and the lake that they arrive in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import polars as pl
from hypothesis import strategies as st

from lockstep.contract.clock import FixedClock
from lockstep.jobs.arrivals import HOUR_US
from lockstep.jobs.build import build
from lockstep.jobs.local import LocalEngine
from lockstep.jobs.receipt import BuildReceipt
from lockstep.lake.content_hash import content_hash
from lockstep.lake.lake import Lake
from lockstep.windows.functions import FUNCTIONS
from lockstep.windows.spec import Aggregation, WindowSpec

T0 = datetime(2018, 4, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
HOURS = 120
SOURCE = "bank/payments"
_KEYS = ("shop", "card")
_SUMS = (
    Aggregation("count", what="tx"),
    Aggregation("mean", "value"),
    Aggregation("max", "value"),
)
# Every function that there is; a rate wants a column of zeros and ones.
_EVERY = [
    Aggregation(name, "value" if function.needs_column else None, "tx")
    for name, function in FUNCTIONS.items()
    if name != "rate"
]
_ALL = tuple(each for each in _EVERY if not each.definition.needs_bar)
_OF_BARS = tuple(each for each in _EVERY if each.definition.needs_bar)
STEPS = WindowSpec("steps", SOURCE, "card", _KEYS, ("90m", "6h", "1d"), _ALL)
GRID = WindowSpec("grid", SOURCE, "card", _KEYS, ("6h", "2d"), _SUMS, resolution="1h")
DAILY = WindowSpec(
    "daily", SOURCE, "card", _KEYS, ("1d", "2d"), _SUMS, resolution="1d", snapshots=True
)
BARS = WindowSpec("bars", SOURCE, "card", _KEYS, ("2b", "4b"), _OF_BARS, bar="6h")
SPECS = (STEPS, GRID, DAILY, BARS)


class Row(NamedTuple):
    """A source row: microseconds after T0."""

    shop: str
    card: int
    event: int
    created: int
    value: int
    is_deleted: bool = False

    @property
    def known(self) -> int:
        """When it became known."""
        return max(self.event, self.created)


# On the grid's edges and a microsecond around them, or anywhere.
_times = st.one_of(
    st.builds(
        lambda hour, tick: hour * HOUR_US + tick,
        st.integers(1, HOURS - 1),
        st.integers(-1, 1),
    ),
    st.integers(0, HOURS * HOUR_US - 1),
)
_delays = st.one_of(
    st.just(0), st.integers(0, 3), st.integers(0, 60 * HOUR_US), st.sampled_from([-5, HOUR_US])
)


@st.composite
def histories(draw: st.DrawFn, *, most: int = 12) -> list[Row]:
    """Rows of few entities over five days, some of them deleted later."""
    rows = []
    for _ in range(draw(st.integers(1, most))):
        event = draw(_times)
        created = event + draw(_delays)
        row = Row(
            draw(st.sampled_from("ab")),
            draw(st.integers(1, 2)),
            event,
            created,
            draw(st.integers(-9, 9)),
        )
        rows.append(row)
        if draw(st.integers(0, 3)) == 0:
            later = row.known + draw(st.integers(0, 40 * HOUR_US))
            rows.append(row._replace(created=later, is_deleted=True))
    return rows


def source_frame(rows: Sequence[Row]) -> pl.DataFrame:
    """The rows as the source has them."""
    schema = dict(zip(Row._fields, (pl.String, *[pl.Int64] * 4, pl.Boolean), strict=True))
    times = [
        (pl.lit(T0) + pl.duration(microseconds=f"{name}")).alias(f"{name}_timestamp")
        for name in ("event", "created")
    ]
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(times)
    return frame.drop("event", "created")


def write_source(lake: Lake, rows: Sequence[Row], name: str = SOURCE) -> None:
    """Makes `rows` the source: each in the partition of its event's day."""
    days = source_frame(rows).group_by(pl.col("event_timestamp").dt.date())
    for (day,), part in days:
        lake.table(name).write_day(day, part)


def built(
    lake: Lake, *specs: WindowSpec, most_steps: int = 10**9, **interval: Any
) -> list[BuildReceipt]:
    """A build of `specs` long after the history; hours of `start` and `end` count from T0."""
    bounds = {name: T0 + hours * HOUR for name, hours in interval.items() if name != "cascade"}
    return build(
        lake,
        specs,
        clock=FixedClock(NOW),
        progress=lambda what, share: None,
        engine=partial(LocalEngine, most_steps=most_steps),
        cascade=interval.get("cascade", False),
        **bounds,
    )


def files(lake: Lake, spec: WindowSpec) -> dict[str, bytes]:
    """What stands in the table's folder, but for the receipts and the record that has one."""
    prefix = f"{spec.table}/"
    keys = [key for key in lake.list(prefix) if "_receipts/" not in key]
    found = {key: lake.read_bytes(key) for key in keys if not key.endswith("_table.json")}
    for key in found:
        if key.endswith("_state.parquet"):
            # Its footer has the versions of the source's objects, which are each lake's own.
            found[key] = content_hash(lake.read_parquet(key)).encode()
    return found
