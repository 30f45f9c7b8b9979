"""How far a feature may move before somebody is to look: declared with its view.

As tags of the feature view, or of the service for the model's score; each a number, or `off`:

drift_psi: 0.25     the population stability index from which on it is a drift
drift_ks: 0.2       the Kolmogorov-Smirnov distance
drift_nulls: 0.05   by how much the share of nulls may be another

As a tag of the service alone, and without a default, since a trial is asked less than all:

drift_volume: 3     how many times more, or fewer, rows a day may come than at training

No tag changes what a feature means: models trained before it stay valid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lockstep.parity.errors import DriftError

_OFF = "off"
_VOLUME = "drift_volume"
_DEFAULTS = {"drift_psi": 0.25, "drift_ks": 0.2, "drift_nulls": 0.05}


@dataclass(frozen=True)
class DriftLimits:
    """From what on each measure is a drift; None for never."""

    psi: float | None
    ks: float | None
    nulls: float | None

    @classmethod
    def of_tags(cls, name: str, tags: Mapping[str, str] | None) -> DriftLimits:
        """What the tags of `name`, a view or a service, declare; defaults for what they do not.

        Raises:
            DriftError: a tag is neither a positive number nor `off`.
        """
        found = {tag: _limit(name, tag, (tags or {}).get(tag)) for tag in _DEFAULTS}
        return cls(*found.values())


def volume_limit(service: str, tags: Mapping[str, str] | None) -> float | None:
    """How many times more or fewer rows a day are no drift; None for any number.

    Raises:
        DriftError: the tag is neither a number above 1 nor `off`.
    """
    text = (tags or {}).get(_VOLUME)
    limit = None if text is None else _limit(service, _VOLUME, text)
    if limit is not None and limit <= 1:
        raise DriftError.wrong_volume(service, str(text))
    return limit


def _limit(name: str, tag: str, text: str | None) -> float | None:
    if text is None:
        return _DEFAULTS[tag]
    if text == _OFF:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0:
        raise DriftError.wrong_tag(name, tag, text)
    return value
