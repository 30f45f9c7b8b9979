"""What a model predicts, classes or quantiles: its columns of numbers and what follows from them.

Training, batch scoring and the API read a model's output by this alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lockstep.errors import LockstepError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MEDIAN = 0.5


class TargetError(LockstepError):
    """A model that says nothing usable of what it predicts, or answers something else."""

    @classmethod
    def bad(cls, problem: str) -> TargetError:
        return cls(f"the model's target {problem}", next_step="register it with `lockstep train`")

    @classmethod
    def other_width(cls, got: int, expected: int) -> TargetError:
        return cls(
            f"the model answers with {got} numbers a row, its target with {expected}",
            next_step="train and register it again",
        )

    @classmethod
    def other_decisions(cls, kind: str, decisions: Sequence[str]) -> TargetError:
        return cls(
            f"the model predicts {kind}, which does not fit the decisions {list(decisions)}",
            next_step="train one of this use case with `lockstep train`",
        )


class Target(ABC):
    """What the outputs of a model mean: (rows, width) of floats."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers the model answers with for a row."""

    @abstractmethod
    def outputs(self, model: Any, rows: Floats, *, threads: int) -> Floats:
        """(rows, width) what a CatBoost model answers to (rows, features); NaN is null."""

    @abstractmethod
    def scores(self, outputs: Floats) -> Floats:
        """(rows,) the one number that stands for a row's output."""

    @abstractmethod
    def decided(self, outputs: Floats) -> Ints:
        """(rows,) the number of what is decided; 0 for nothing special."""

    @abstractmethod
    def check_decisions(self, decisions: Sequence[str]) -> None:
        """Returns where these can be decided by it.

        Raises:
            TargetError: there are more or fewer of them.
        """

    @abstractmethod
    def to_metadata(self) -> dict[str, Any]:
        """The plain mapping that `target_of` reads."""


@dataclass(frozen=True)
class ClassTarget(Target):
    """Class 0 is neutral; another is decided for where its probability reaches `threshold`.

    Of several that do the likeliest, of equally likely ones the first. A row's score is the
    highest probability of a class that is not neutral. Of two classes only class 1 has a
    column, of more all have.
    """

    kind = "classes"

    threshold: float
    classes: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise TargetError.bad(f"has the threshold {self.threshold}, no probability")

    @property
    def width(self) -> int:
        return 1 if self.classes == 2 else self.classes

    def outputs(self, model: Any, rows: Floats, *, threads: int) -> Floats:
        probabilities = model.predict(rows, prediction_type="Probability", thread_count=threads)
        found = np.asarray(probabilities, np.float64).reshape(len(rows), -1)
        if found.shape[1] != self.classes:
            raise TargetError.other_width(found.shape[1], self.classes)
        return found[:, 1:] if self.classes == 2 else found

    def scores(self, outputs: Floats) -> Floats:
        return np.asarray(self._calls(outputs).max(axis=1))

    def decided(self, outputs: Floats) -> Ints:
        calls = self._calls(outputs)
        reached = calls.max(axis=1) >= self.threshold
        return np.where(reached, calls.argmax(axis=1) + 1, 0)

    def check_decisions(self, decisions: Sequence[str]) -> None:
        if len(decisions) != self.classes:
            raise TargetError.other_decisions(f"{self.classes} classes", decisions)

    def to_metadata(self) -> dict[str, Any]:
        return {"target": self.kind, "threshold": self.threshold, "classes": self.classes}

    def _calls(self, outputs: Floats) -> Floats:
        return outputs if self.classes == 2 else outputs[:, 1:]


@dataclass(frozen=True)
class QuantileTarget(Target):
    """Quantiles of a number, at levels that grow and have the median among them.

    With `of_log` the model was fitted on the natural logarithm: what it answers is turned back.
    A row's outputs are sorted, since CatBoost fits each level without regard to the others.
    Source: Chernozhukov, Fernandez-Val and Galichon, Quantile and probability curves without
    crossing (2010). Below the median all are then moved down by `margin`, above it up, as much
    as it takes for rows that the model was not fitted on to lie between the outermost; in the
    units of the fit. Source: Romano, Patterson and Candes, Conformalized quantile regression
    (2019). A row's score is the median; nothing is decided.
    """

    kind = "quantiles"

    levels: tuple[float, ...]
    of_log: bool = False
    margin: float = 0.0

    def __post_init__(self) -> None:
        grow = all(one < other for one, other in zip(self.levels, self.levels[1:], strict=False))
        if _MEDIAN not in self.levels or not grow or not 0 < self.levels[0] <= self.levels[-1] < 1:
            raise TargetError.bad(f"has levels {list(self.levels)}; they grow in (0, 1) over .5")

    @property
    def width(self) -> int:
        return len(self.levels)

    @property
    def median(self) -> int:
        """The column of the median."""
        return self.levels.index(_MEDIAN)

    def outputs(self, model: Any, rows: Floats, *, threads: int) -> Floats:
        answered = np.asarray(model.predict(rows, thread_count=threads), np.float64)
        raw = answered.reshape(len(rows), -1)
        if raw.shape[1] != self.width:
            raise TargetError.other_width(raw.shape[1], self.width)
        ordered = np.sort(raw, axis=1)
        median = ordered[:, [self.median]]
        moved = ordered + self.margin * np.sign(np.arange(self.width) - self.median)
        # A margin below zero narrows the range, but not past the median.
        below, above = moved[:, : self.median], moved[:, self.median + 1 :]
        found = np.hstack([np.minimum(below, median), median, np.maximum(above, median)])
        return np.exp(found) if self.of_log else found

    def scores(self, outputs: Floats) -> Floats:
        return outputs[:, self.median]

    def decided(self, outputs: Floats) -> Ints:
        return np.zeros(len(outputs), np.int64)

    def check_decisions(self, decisions: Sequence[str]) -> None:
        if decisions:
            raise TargetError.other_decisions("a number", decisions)

    def to_metadata(self) -> dict[str, Any]:
        return {
            "target": self.kind,
            "levels": list(self.levels),
            "of_log": self.of_log,
            "margin": self.margin,
        }


def target_of(metadata: Mapping[str, Any]) -> Target:
    """The target that `to_metadata` wrote; further keys are left alone.

    Models of before have two classes and say it by their threshold alone.

    Raises:
        TargetError: a key is missing or of another type.
    """
    kind = metadata.get("target", ClassTarget.kind)
    if kind == ClassTarget.kind:
        threshold, classes = metadata.get("threshold"), metadata.get("classes", 2)
        if not isinstance(threshold, float):
            raise TargetError.bad("has no number 'threshold'")
        if type(classes) is not int or classes < 2:
            raise TargetError.bad(f"has {classes!r} classes")
        return ClassTarget(threshold, classes)
    if kind == QuantileTarget.kind:
        levels = metadata.get("levels")
        if not isinstance(levels, list) or not all(isinstance(level, float) for level in levels):
            raise TargetError.bad("has no list of numbers 'levels'")
        of_log = metadata.get("of_log", False)
        if not isinstance(of_log, bool):
            raise TargetError.bad(f"says of_log {of_log!r}, not true or false")
        margin = metadata.get("margin", 0.0)
        if not isinstance(margin, float) or not math.isfinite(margin):
            raise TargetError.bad(f"has the margin {margin!r}, no number")
        return QuantileTarget(tuple(levels), of_log, margin)
    raise TargetError.bad(f"is of kind {kind!r}, which is not known here")
