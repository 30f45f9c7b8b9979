"""What the tasks of a Spark build say of their buckets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lockstep.jobs.arrivals import Arrivals
from lockstep.jobs.spark.staging import Piece


@dataclass(frozen=True)
class BucketAccount:
    """One bucket, or several together: buckets share no entity, so that accounts add up.

    `arrivals` are the rows that became known in the interval, `before` those of the window
    before it. `peak_mb` is the highest resident memory of a task's process.
    """

    pieces: tuple[Piece, ...] = ()
    arrivals: Arrivals = field(default_factory=Arrivals)
    before: Arrivals = field(default_factory=Arrivals)
    entities: int = 0
    merged: int = 0
    peak_mb: int = 0

    def __add__(self, other: BucketAccount) -> BucketAccount:
        return BucketAccount(
            pieces=self.pieces + other.pieces,
            arrivals=self.arrivals + other.arrivals,
            before=self.before + other.before,
            entities=self.entities + other.entities,
            merged=self.merged + other.merged,
            peak_mb=max(self.peak_mb, other.peak_mb),
        )

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON holds them."""
        return asdict(self) | {"pieces": [piece.as_json() for piece in self.pieces]}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> BucketAccount:
        """The account that `as_json` gave."""
        pieces = tuple(map(Piece.from_json, found["pieces"]))
        arrivals = {name: _arrivals(found[name]) for name in ("arrivals", "before")}
        return cls(**{**found, **arrivals, "pieces": pieces})


def _arrivals(found: Mapping[str, Any]) -> Arrivals:
    """JSON has turned the hours into text."""
    hashes = {int(hour): number for hour, number in found["hashes"].items()}
    return Arrivals(**{**found, "hashes": hashes})
