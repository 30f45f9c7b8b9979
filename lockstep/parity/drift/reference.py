"""What a model was trained on, as far as drift asks: kept with it, without a row of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lockstep.parity.drift.profile import Profile

# The artefact of a model's run in MLflow.
FILE = "reference_profile.json"


@dataclass(frozen=True)
class Reference:
    """The features of the training fold, by name, and the scores of the test fold.

    `rows_a_day` are those of the training fold.
    """

    features: Mapping[str, Profile]
    score: Profile
    rows_a_day: float

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Reference:
        """What `as_json` told.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it did not.
        """
        return cls(
            {name: _profile(one) for name, one in told["features"].items()},
            _profile(told["score"]),
            float(told["rows_a_day"]),
        )


def _profile(told: Mapping[str, Any]) -> Profile:
    return Profile(int(told["nulls"]), tuple(told["edges"]), tuple(told["counts"]))
