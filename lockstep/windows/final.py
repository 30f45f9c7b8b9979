"""When a step became final: the instant that decides which build emits it."""

from __future__ import annotations

import polars as pl

from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, WindowSpec


def became_final(spec: WindowSpec) -> pl.Expr:
    """The later of a step's own time and its created time, int64 microseconds.

    A snapshot at s reflects what was known before s, so that its own time is s - 1: the
    one that closes a day is emitted by the build that ends there, and stands in the
    partition of that day.
    """
    own = pl.col(EVENT_TIMESTAMP).to_physical() - int(spec.snapshots)
    return pl.max_horizontal(own, pl.col(CREATED_TIMESTAMP).to_physical())
