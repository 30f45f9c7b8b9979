"""The batches of one view between two checkpoints, for the ledger."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from lockstep.contract.clock import Clock
from lockstep.lake.content_hash import ContentHash
from lockstep.lake.lake import Lake
from lockstep.stores.stream_ledger import StreamBeginning, StreamRow, append_stream, merged_cut
from lockstep.windows.microseconds import microseconds


class Stretch:
    """Is on record as begun from the first moment on, and as ended with `end`."""

    def __init__(self, lake: Lake, begun: StreamBeginning, clock: Clock) -> None:
        self._lake, self._begun, self._clock = lake, begun, clock
        self._cuts: list[tuple[int, int, int]] = []
        self._content: ContentHash | None = None
        self._steps = self._written = 0
        append_stream(lake, begun)

    def wrote(self, steps: pl.DataFrame, began: datetime, until: datetime, written: int) -> None:
        """These steps are visible now: all that became final before `until`."""
        now = self._clock.now()
        self._cuts.append((microseconds(began), microseconds(now), microseconds(until)))
        self._content = self._content or ContentHash(steps.schema)
        self._content.update(steps)
        self._steps += steps.height
        self._written += written

    def wrote_nothing(self, until: datetime) -> None:
        """Nothing became final since the last cut, up to `until`."""
        if self._cuts:
            self._cuts = merged_cut(self._cuts, microseconds(until))

    def end(self) -> None:
        """Puts the whole of it on record.

        Raises:
            LakeError: the lake cannot be written to.
        """
        row = StreamRow(
            self._begun,
            tuple(self._cuts),
            self._steps,
            self._written,
            self._content.hexdigest() if self._content else "",
        )
        append_stream(self._lake, row)
