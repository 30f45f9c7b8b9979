"""Steps in the order of key, event and created time, and the search for one in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockstep.stores.backward_search import Booleans, Int64s
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

_SIGN_BIT = 63


@dataclass(frozen=True)
class StepOrder:
    """The steps that have a key and a time, key after key, each key's in time order.

    A step's key code and time are packed into one integer, so that one sort and one binary
    search serve all keys at once: 0.1 s and 0.1 s for 6.7 M steps and 1.75 M queries, where
    Polars' sort by time and its join_asof by key take 0.6 s and 0.5 s. Among steps of one
    key and event the newest created is the last; among equals the last row. `rows` are
    their row numbers; `created` are the created times of all steps by row number, in
    microseconds.
    """

    packed: Int64s
    rows: Int64s
    created: Int64s
    times: Times

    @classmethod
    def of(cls, steps: pl.DataFrame, codes: Int64s) -> StepOrder:
        """The order of `steps`; `codes` are those of their keys, -1 for none."""
        event, created = _times(steps)
        timed = steps.get_column(EVENT_TIMESTAMP).is_not_null().to_numpy()
        rows = np.flatnonzero((codes >= 0) & timed)
        if len(rows) < len(steps):
            codes, event = codes[rows], event[rows]
        times = Times.of(event, codes)
        packed = times.pack(codes, event)
        order = np.argsort(packed, kind="stable")
        if _is_out_of_order(packed, created[rows] if len(rows) < len(steps) else created, order):
            order = np.lexsort((created[rows], packed))
        return cls(packed[order], rows[order], created, times)

    def newest(self, codes: Int64s, at: Int64s) -> Int64s:
        """For each query the place of its key's last step with event <= `at`; -1 for none."""
        if not len(self.packed):
            return np.full(len(at), -1)
        wanted = self.times.pack(codes, self.times.clipped(at))
        # Queries in order touch the steps in order: twice as fast as at random, sort included.
        order = np.argsort(wanted)
        places = np.empty(len(wanted), np.int64)
        places[order] = np.searchsorted(self.packed, wanted[order], side="right") - 1
        found = (places >= 0) & (codes >= 0)
        found &= self.packed[places] >> self.times.bits == codes
        return np.where(found, places, -1)

    @property
    def keys(self) -> Int64s:
        """The key codes, ascending."""
        return self.packed >> self.times.bits

    def created_at(self, places: Int64s) -> Int64s:
        """The created times of the steps at `places`, which are not -1."""
        return self.created[self.rows[places]]

    def are_of_one_key(self, places: Int64s, others: Int64s) -> Booleans:
        """Whether the steps at two places, of which the first may be -1, have the same key."""
        one, other = (self.packed[at] >> self.times.bits for at in (places, others))
        same: Booleans = (places >= 0) & (one == other)
        return same


@dataclass(frozen=True)
class Times:
    """Times as `bits` low bits of an integer, in order, counted from `first` on.

    Where that leaves too few bits for the codes, `distinct` are the steps' times, and a
    time is counted by those that are not later.
    """

    first: int
    last: int
    bits: int
    distinct: Int64s | None

    @classmethod
    def of(cls, event: Int64s, codes: Int64s) -> Times:
        """For steps at `event`, with keys of `codes`; both may be empty."""
        if not len(event):
            return cls(0, 0, 1, None)
        first, last = int(event.min()), int(event.max())
        bits = max((last - first).bit_length(), 1)
        if bits + int(codes.max()).bit_length() <= _SIGN_BIT:
            return cls(first, last, bits, None)
        distinct = np.unique(event)
        return cls(0, len(distinct) - 1, len(distinct).bit_length(), distinct)

    def clipped(self, at: Int64s) -> Int64s:
        """`at`, no later than the last step and at the earliest just before the first one."""
        if self.distinct is not None:
            return at
        return np.clip(at, self.first - 1, self.last)

    def pack(self, codes: Int64s, at: Int64s) -> Int64s:
        """Code above, time below; a time before the first sorts before all of its code."""
        if self.distinct is not None:
            at = np.searchsorted(self.distinct, at, side="right") - 1
        packed = codes << self.bits
        packed += at
        packed -= self.first
        return packed


def _times(steps: pl.DataFrame) -> tuple[Int64s, Int64s]:
    event = pl.col(EVENT_TIMESTAMP).to_physical()
    created = event
    if CREATED_TIMESTAMP in steps.columns:
        created = pl.coalesce(pl.col(CREATED_TIMESTAMP).to_physical(), event)
    both = steps.select(event.fill_null(0).alias("e"), created.fill_null(0).alias("c"))
    return both.get_column("e").to_numpy(), both.get_column("c").to_numpy()


def _is_out_of_order(packed: Int64s, created: Int64s, order: Int64s) -> bool:
    """Whether among ties, which are few, a step comes after one created later."""
    in_order = packed[order]
    ties = np.flatnonzero(in_order[1:] == in_order[:-1])
    return bool(np.any(created[order[ties + 1]] < created[order[ties]]))
