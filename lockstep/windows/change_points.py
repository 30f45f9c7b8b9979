"""Where the windows change, and which rows each window holds there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lockstep.windows.events import Events, Ints

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class ChangePoints:
    """The distinct (entity, s) at which a row arrives or expires, in order.

    A row with event time t arrives at t + 1 microsecond and leaves the window w at
    t + w. Rows of one entity that a window holds at s are neighbours in `Events`: the
    rows `low[w] .. high - 1`, counting from the batch's first row. `reach` is the first
    row that s still belongs to: t >= s - longest window. `axis` is s on the common axis,
    `time` is s itself; `first_known` is the earliest created time of a row that makes s
    a change point.
    """

    axis: Ints
    time: Ints
    entity: Ints
    low: tuple[Ints, ...]
    high: Ints
    reach: Ints
    first_known: Ints


def change_points(events: Events, lengths_us: tuple[int, ...], *, end_us: int) -> ChangePoints:
    """Every change point before `end_us` of all entities in `events`.

    One stable sort merges the arrivals and the expiries of each window, which are sorted
    already; running counts of each kind then are the row ranges.
    """
    axis = events.axis
    merged = np.concatenate([axis + 1, *(axis + length for length in lengths_us)])
    order = np.argsort(merged, kind="stable")
    merged = merged[order]
    kind = (order // len(axis)).astype(np.int8)
    last = np.flatnonzero(np.append(merged[1:] != merged[:-1], True))
    points = merged[last]
    entity = points // events.span
    time = points - entity * events.span + events.origin
    kept = time < end_us
    counts = [_running_count(kind == k, last)[kept] for k in range(len(lengths_us) + 1)]
    starts = np.append(0, last[:-1] + 1)
    expired_now = np.add.reduceat((kind == len(lengths_us)).astype(np.int64), starts)[kept]
    created = events.created[order % len(axis)]
    return ChangePoints(
        axis=points[kept],
        time=time[kept],
        entity=entity[kept],
        low=tuple(counts[1:]),
        high=counts[0],
        reach=counts[-1] - expired_now,
        first_known=np.minimum.reduceat(created, starts)[kept],
    )


def next_expiry(
    events: Events, points: ChangePoints, lengths_us: tuple[int, ...]
) -> Ints:
    """When the first row leaves one of the windows held at each point; `NEVER` if all are empty."""
    soonest = np.full(len(points.axis), NEVER)
    for low, length in zip(points.low, lengths_us, strict=True):
        oldest = events.event[np.minimum(low, len(events) - 1)]
        np.minimum(soonest, oldest + length, out=soonest, where=low < points.high)
    return soonest


def _running_count(flags: npt.NDArray[np.bool_], at: Ints) -> Ints:
    return np.cumsum(flags, dtype=np.int64)[at]
