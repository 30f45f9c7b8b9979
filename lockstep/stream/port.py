"""Streams of records, whoever keeps them.

A topic has a fixed number of partitions, and each partition its records in the order in which they
came. Of the readers of one group each partition has one at a time; who reads it next goes on
at the position that was kept last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

# Where to go on in a partition, in the words of whoever keeps it; before its first record.
Position = str
BEGINNING: Position = ""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Records:
    """Records of one partition in their order, and the position after the last of them."""

    partition: int
    payloads: Sequence[bytes]
    position: Position


@dataclass(frozen=True)
class Outgoing:
    """Records for one topic, each with the number of its partition."""

    topic: str
    partitions: Sequence[int]
    payloads: Sequence[bytes]


class Owner(Protocol):
    """Who reads: it is told which partitions are its own."""

    def given(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        """Where to begin in each; one that is left out begins where its group kept to be."""

    def taken(self, partitions: Sequence[int]) -> None:
        """They are somebody else's from now on; nothing of them may be kept any more."""


class StreamReader(Protocol):
    """One reader of a topic, as a member of a group."""

    def poll(self, most: int, wait_seconds: float) -> list[Records]:
        """Up to `most` records of the partitions that are its own; none where none come in time.

        Tells the owner of partitions before their first records.

        Raises:
            StreamError: the stream cannot be reached, or records were removed unread.
        """

    def keep(self, positions: Mapping[int, Position], outgoing: Iterable[Outgoing] = ()) -> None:
        """Keeps where the group is, and with it what came out of it: all of it, or nothing.

        Raises:
            LostPartitionError: a partition is no longer its own; nothing was kept.
            StreamError: the stream cannot be reached; it was kept or not.
        """

    def lag(self) -> dict[int, int]:
        """How many records of each of its partitions the group has not kept yet.

        Raises:
            StreamError: the stream cannot be reached.
        """

    def close(self) -> None:
        """Gives its partitions back."""


class Streams(Protocol):
    """The topics of one place."""

    def create(self, topic: str, partitions: int) -> int:
        """Makes a topic unless it is there; how many partitions it has.

        Raises:
            StreamError: the stream cannot be reached.
        """

    def send(self, outgoing: Iterable[Outgoing]) -> None:
        """Adds records; once it returns they are stored.

        Raises:
            StreamError: the stream cannot be reached, or has no such topic.
        """

    def reader(self, topic: str, group: str, owner: Owner) -> StreamReader:
        """A new member of a group.

        Raises:
            StreamError: the stream cannot be reached, or has no such topic.
        """

    def close(self) -> None:
        """Ends the connections."""


def partitions_of(keys: pl.Series, count: int) -> NDArray[np.int64]:
    """The partition of each int64 key: a hash (SplitMix64) modulo `count`.

    >>> partitions_of(pl.Series([1, 2, 3, 4]), 2).tolist()
    [1, 0, 1, 0]
    """
    words = keys.to_numpy().astype(np.int64).view(np.uint64) + _GAMMA
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    found: NDArray[np.int64] = (words % np.uint64(count)).astype(np.int64)
    return found
