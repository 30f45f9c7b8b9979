"""What an engine of builds must do; in what order it is called is the same for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lockstep.jobs.arrivals import Arrivals
from lockstep.jobs.interval import Interval
from lockstep.jobs.partitions import PartitionReceipt

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, from 0 to 1."""


@dataclass(frozen=True)
class Written:
    """What an engine wrote for one piece: the partitions that it replaced, and its steps.

    `merged_by_resolution` is the number of change points that the grid saved.
    """

    partitions: Sequence[PartitionReceipt]
    steps: int
    merged_by_resolution: int


class Engine(Protocol):
    """One way to compute steps; made for one `BuildPlan`, used for one build of it.

    For each piece of the interval, oldest first: `compute`, then `write`. The progress that
    each of them tells goes from 0 to 1 over both.
    """

    @property
    def name(self) -> str:
        """What the receipt calls it."""
        ...

    def pieces(self, whole: Interval) -> Iterable[Interval]:
        """`whole` in pieces of a size that it can hold; they meet at midnights."""
        ...

    def compute(self, piece: Interval, progress: Progress) -> Arrivals:
        """Computes the piece's steps and counts its rows; the table stays as it is.

        Raises:
            EventsError: the rows are not what the spec declares.
            LakeError: they cannot be read.
            BuildError: the source has changed before the piece.
        """
        ...

    def write(self, piece: Interval, progress: Progress) -> Written:
        """Replaces the piece's steps by those that were computed.

        That is within the plan's `bounds`, in its `days_of` and in the steps' own days.

        Raises:
            BuildError: the table has other columns than the steps.
            LakeError: steps that stay cannot be read.
        """
        ...

    def keep_state(self, end: datetime) -> None:
        """Keeps what the next increment can start from, or sees to it that none is kept.

        `end` is that of the table; the last piece may have ended before it, and then what
        was kept for that end is still right.
        """
        ...

    def peak_mb(self) -> int:
        """The highest resident memory so far of a process that computes, in 10^6 bytes."""
        ...

    def entities(self) -> int:
        """Of how many entities rows arrived in all pieces together."""
        ...
