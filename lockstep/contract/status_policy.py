"""What is done about a feature that is not simply there: declared once per feature service.

As tags of the service: `on_not_found`, `on_expired`, `on_stale` and `on_null`, each with one of

score     go on with the value as the status leaves it (null, or the old one where it is STALE)
flag      the same, and the answer names the status among its `flags`
reject    no score: the API answers 422, a batch row has the decision `rejected`
a number  takes the value's place before the model, such as 0

Without a tag NULL is scored and the others are flagged. FUTURE is always rejected. The policy
is for the values of views that the service lists; on-demand functions see what was stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lockstep.contract.status import FeatureStatus
from lockstep.errors import LockstepError

REJECTED = "rejected"

_CODES: dict[str, int] = {status: code for code, status in enumerate(FeatureStatus)}
_DECLARED = (
    FeatureStatus.NOT_FOUND,
    FeatureStatus.EXPIRED,
    FeatureStatus.STALE,
    FeatureStatus.NULL,
)
_ACTIONS = ("score", "flag", "reject")

Codes = NDArray[np.uint8]


class StatusPolicyError(LockstepError):
    """A tag that says nothing that is understood."""

    @classmethod
    def wrong_value(cls, tag: str, got: str) -> StatusPolicyError:
        return cls(
            f"the tag {tag} of a feature service is {got[:40]!r}, expected score, flag, reject "
            "or a number",
            next_step="mend the service's tags",
        )

    @classmethod
    def unknown(cls, tag: str) -> StatusPolicyError:
        known = [f"on_{status.lower()}" for status in _DECLARED]
        return cls(f"there is no tag {tag!r}", next_step=f"use some of {known}")


@dataclass(frozen=True)
class StatusPolicy:
    """Which statuses are rejected, which are flagged, and which have a value of their own."""

    rejected: frozenset[FeatureStatus]
    flagged: frozenset[FeatureStatus]
    defaults: Mapping[FeatureStatus, float] = field(default_factory=dict)

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> StatusPolicy:
        """The policy that the tags of a service declare; other tags than `on_...` are not read.

        Raises:
            StatusPolicyError: a tag or its value is not known.

        >>> StatusPolicy.of({"on_null": "0", "on_expired": "reject"}).defaults
        {<FeatureStatus.NULL: 'NULL'>: 0.0}
        """
        actions = dict.fromkeys(_DECLARED, "flag") | {FeatureStatus.NULL: "score"}
        for tag, value in tags.items():
            if tag.startswith("on_"):
                status = FeatureStatus.__members__.get(tag.removeprefix("on_").upper())
                if status not in _DECLARED:
                    raise StatusPolicyError.unknown(tag)
                actions[status] = value
        defaults = {
            status: _number(f"on_{status.lower()}", action)
            for status, action in actions.items()
            if action not in _ACTIONS
        }
        return cls(
            frozenset(s for s, action in actions.items() if action == "reject"),
            frozenset(s for s, action in actions.items() if action == "flag"),
            defaults,
        )

    def treated(self, values: NDArray[np.float64], codes: Codes) -> NDArray[np.float64]:
        """`values` (any shape) with the defaults; `codes` are positions in FeatureStatus."""
        for status, default in self.defaults.items():
            values = np.where(codes == _CODES[status], default, values)
        return values

    def rejects(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows of `codes` (rows, features) may not be scored."""
        if not self.rejected:
            return np.zeros(len(codes), np.bool_)
        wanted = [_CODES[status] for status in self.rejected]
        return np.asarray(np.isin(codes, wanted).any(axis=1))

    def flags(self, codes: Codes) -> dict[int, list[FeatureStatus]]:
        """The flagged statuses in rows of `codes`, each once, in order of precedence.

        Rows that have none are not named.
        """
        found: dict[int, list[FeatureStatus]] = {}
        if (codes == _CODES[FeatureStatus.PRESENT]).all():
            return found
        for status in FeatureStatus:
            if status in self.flagged:
                for row in np.flatnonzero((codes == _CODES[status]).any(axis=1)).tolist():
                    found.setdefault(row, []).append(status)
        return found


def codes_of(statuses: Sequence[str]) -> Codes:
    """The positions in FeatureStatus of statuses by name.

    >>> codes_of(["NOT_FOUND", "PRESENT"])
    array([0, 5], dtype=uint8)
    """
    return np.array([_CODES[name] for name in statuses], np.uint8)


def _number(tag: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise StatusPolicyError.wrong_value(tag, text) from None
    if not math.isfinite(number):
        raise StatusPolicyError.wrong_value(tag, text)
    return number
