"""What a look for drift found, as it is kept in the lake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lockstep.lake.lake import Lake
from lockstep.parity.drift.limits import DriftLimits
from lockstep.parity.drift.profile import (
    LEAST_ROWS,
    Profile,
    kolmogorov_smirnov,
    population_stability,
)
from lockstep.parity.errors import DriftError

SCORE = "score"


@dataclass(frozen=True)
class Drift:
    """One number at training and now, over the same bins; `statuses` counts those now.

    `view` is empty for the score.
    """

    name: str
    view: str
    reference: Profile
    now: Profile
    limits: DriftLimits
    statuses: Mapping[str, int]

    @property
    def is_judged(self) -> bool:
        """Whether both have rows enough, and the reference values, or nothing but nulls."""
        known = self.reference
        has_edges = bool(known.edges) or known.nulls == known.rows
        return min(known.rows, self.now.rows) >= LEAST_ROWS and has_edges

    @property
    def psi(self) -> float:
        """The population stability index; 0 where one has no rows."""
        if not (self.reference.rows and self.now.rows):
            return 0.0
        return population_stability(self.reference, self.now)

    @property
    def ks(self) -> float:
        """The Kolmogorov-Smirnov distance."""
        return kolmogorov_smirnov(self.reference, self.now)

    @property
    def exceeded(self) -> list[str]:
        """The measures that reach their limits, in words; none where it is not judged."""
        nulls = abs(self.now.null_share - self.reference.null_share)
        found = (
            ("PSI", self.psi, self.limits.psi),
            ("KS", self.ks, self.limits.ks),
            ("nulls", nulls, self.limits.nulls),
        )
        return [
            f"{name} {value:.3f} >= {limit:g}"
            for name, value, limit in found
            if self.is_judged and limit is not None and value >= limit
        ]


@dataclass(frozen=True)
class DriftResult:
    """What one version of a model was given and answered, beside its reference.

    `rows` were logged from `first` to `last`; `looked_at` of them were drawn. `rows_a_day` are
    those at training and now. `stale_share` is that of rows with a value that was STALE or
    EXPIRED, of which `max_stale_share` may be, and `max_volume` how many times more or fewer rows
    a day may come, where they are declared.
    """

    use_case: str
    service: str
    version: int
    at: datetime
    first: datetime | None
    last: datetime | None
    drifts: tuple[Drift, ...]
    rows: int
    looked_at: int
    rows_a_day: tuple[float, float]
    stale_share: float
    max_stale_share: float | None
    max_volume: float | None = None

    @property
    def exceeded(self) -> list[Drift]:
        """What has drifted."""
        return [drift for drift in self.drifts if drift.exceeded]

    @property
    def is_stale(self) -> bool:
        """Whether more is stale than may be."""
        return self.max_stale_share is not None and self.stale_share > self.max_stale_share

    @property
    def is_other_volume(self) -> bool:
        """Whether more, or fewer, rows a day come than may."""
        then, now = self.rows_a_day
        if self.max_volume is None:
            return False
        return now > then * self.max_volume or now < then / self.max_volume

    @property
    def has_drifted(self) -> bool:
        """Whether any limit is reached."""
        return bool(self.exceeded) or self.is_stale or self.is_other_volume

    @property
    def unjudged(self) -> list[Drift]:
        """What had too few rows."""
        return [drift for drift in self.drifts if not drift.is_judged]

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain values."""
        times = {
            name: value.isoformat() if value else None
            for name, value in (("at", self.at), ("first", self.first), ("last", self.last))
        }
        return asdict(self) | times

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> DriftResult:
        """What `as_json` told.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        times = {
            name: datetime.fromisoformat(told[name]) if told[name] else None
            for name in ("at", "first", "last")
        }
        drifts = tuple(
            Drift(
                **one
                | {
                    "reference": _profile(one["reference"]),
                    "now": _profile(one["now"]),
                    "limits": DriftLimits(**one["limits"]),
                }
            )
            for one in told["drifts"]
        )
        own = {"drifts": drifts, "rows_a_day": tuple(told["rows_a_day"])}
        return cls(**{**told, **times, **own})


def write_drift(lake: Lake, result: DriftResult) -> str:
    """Keeps the result in the lake and returns its key.

    Raises:
        LakeError: the lake refuses it.
    """
    key = f"{_folder(result.use_case)}{result.at:%Y%m%dT%H%M%S.%fZ}.json"
    lake.write_bytes(key, (json.dumps(result.as_json(), indent=1) + "\n").encode())
    return key


def last_drift(lake: Lake, use_case: str) -> DriftResult | None:
    """The newest look that is kept of a use case; None where there is none.

    Raises:
        DriftError: it is damaged.
        LakeError: the lake cannot be reached.
    """
    keys = [key for key in lake.list(_folder(use_case)) if key.endswith(".json")]
    if not keys:
        return None
    try:
        return DriftResult.from_json(json.loads(lake.read_bytes(keys[-1])))
    except (KeyError, TypeError, ValueError) as error:
        raise DriftError.damaged(lake.address(keys[-1]), error) from error


def _folder(use_case: str) -> str:
    return f"_parity/drift/{use_case}/"


def _profile(told: Mapping[str, Any]) -> Profile:
    return Profile(told["nulls"], tuple(told["edges"]), tuple(told["counts"]))
