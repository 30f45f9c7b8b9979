"""What a registered model says of itself: the only thing training and serving share.

Training writes it as the `metadata` of MLflow's model; serving reads it before it
touches the model's file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockstep.contract.instant import InstantError, parse_instant
from lockstep.contract.targets import ClassTarget, Target, TargetError, target_of
from lockstep.errors import LockstepError

CHAMPION = "champion"
CHALLENGER = "challenger"
CATBOOST_FORMAT = "cbm"
_TEXTS = ("use_case", "feature_service", "trained_as_of", "fingerprint")


class ModelArtefactError(LockstepError):
    """A registered model that cannot be served."""

    @classmethod
    def bad_metadata(cls, problem: str) -> ModelArtefactError:
        return cls(f"the model's metadata {problem}", next_step="register it with `lockstep train`")

    @classmethod
    def bad_target(cls, cause: Exception) -> ModelArtefactError:
        return cls(f"the model's metadata cannot be used: {cause}", next_step="train it again")

    @classmethod
    def other_use_case(cls, got: str, expected: str) -> ModelArtefactError:
        return cls(
            f"the model {expected!r} says that it is one of use case {got!r}",
            next_step=f"register one with `lockstep train {expected}`",
        )

    @classmethod
    def unreadable(cls, name: str, cause: Exception) -> ModelArtefactError:
        first_line = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        return cls(
            f"the model file {name!r} cannot be loaded ({first_line})",
            next_step="train and register it again",
        )

    @classmethod
    def other_example(cls, features: int) -> ModelArtefactError:
        return cls(
            f"the model's input example has rows of other than its {features} features",
            next_step="train and register it again",
        )

    @classmethod
    def other_features(cls, got: list[str], expected: list[str]) -> ModelArtefactError:
        differing = sorted(set(got) ^ set(expected)) or ["the order"]
        return cls(
            f"the model file reads {len(got)} features, its metadata names {len(expected)}; "
            f"they differ in {differing[:5]}",
            next_step="train and register it again",
        )


@dataclass(frozen=True)
class ModelArtefact:
    """How a model is to be fed and read.

    `target` says what it predicts. `trained_as_of` is the instant up to which labels were
    known to the fit. `fingerprint` is that of the feature service's
    definitions; empty for a model that is never registered.
    """

    use_case: str
    feature_service: str
    feature_order: tuple[str, ...]
    target: Target
    trained_as_of: datetime
    fingerprint: str = ""

    @property
    def threshold(self) -> float | None:
        """From which score on something is decided; None for a model that decides nothing."""
        return self.target.threshold if isinstance(self.target, ClassTarget) else None

    def to_metadata(self) -> dict[str, Any]:
        """The plain mapping that MLflow keeps beside the model."""
        return {
            "use_case": self.use_case,
            "feature_service": self.feature_service,
            "feature_order": list(self.feature_order),
            "trained_as_of": self.trained_as_of.isoformat(),
            "fingerprint": self.fingerprint,
            **self.target.to_metadata(),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> ModelArtefact:
        """The artefact that `to_metadata` wrote; further keys are left alone.

        Raises:
            ModelArtefactError: a key is missing or of another type.
        """
        for key in _TEXTS:
            if not isinstance(metadata.get(key), str):
                raise ModelArtefactError.bad_metadata(f"has no text {key!r}")
        order = metadata.get("feature_order")
        if not isinstance(order, list) or not order or not all(isinstance(n, str) for n in order):
            raise ModelArtefactError.bad_metadata("has no list of names 'feature_order'")
        try:
            target = target_of(metadata)
        except TargetError as error:
            raise ModelArtefactError.bad_target(error) from error
        try:
            trained_as_of = parse_instant(metadata["trained_as_of"])
        except InstantError as error:
            raise ModelArtefactError.bad_metadata(f"has a bad 'trained_as_of': {error}") from error
        return cls(
            use_case=metadata["use_case"],
            feature_service=metadata["feature_service"],
            feature_order=tuple(order),
            target=target,
            trained_as_of=trained_as_of,
            fingerprint=metadata["fingerprint"],
        )
