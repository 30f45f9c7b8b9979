"""What the tags of a feature view say.

step_function: true     a row holds until the next one, whatever its age
max_age_seconds: 7200   how far T may be past the view's horizon before a value is STALE
live: true              Redis keeps the last 8 steps, not only the newest; or a number
window_spec: 5f2a...    the fingerprint of the windows that the view's table holds
kept_rows: {...}        rows of the windows' source that Redis keeps beside a step (`KeptRows`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstep.stores.errors import ViewTagError
from lockstep.stores.kept_rows import KeptRows
from lockstep.windows.microseconds import SECOND_US

if TYPE_CHECKING:
    from feast import FeatureView

_YES_NO = {"": False, "false": False, "true": True}
_LIVE_STEPS = 8


def is_step_function(view: FeatureView) -> bool:
    """Whether a row of the view holds until the next one.

    Raises:
        ViewTagError: the tag is neither true nor false.
    """
    tag = _tag(view, "step_function")
    if tag not in _YES_NO:
        raise ViewTagError.wrong_value(view.name, "step_function", tag, "true or false")
    return _YES_NO[tag]


def max_age_us(view: FeatureView) -> int | None:
    """The microseconds past the horizon after which a value is STALE; None for never.

    Raises:
        ViewTagError: the tag is not a whole number of seconds.
    """
    tag = _tag(view, "max_age_seconds")
    if tag and not tag.isdecimal():
        raise ViewTagError.wrong_value(view.name, "max_age_seconds", tag, "whole seconds")
    return int(tag) * SECOND_US if tag else None


def tail_steps(view: FeatureView) -> int:
    """How many steps the online store keeps, the newest among them; 0 for a view not `live`.

    Raises:
        ViewTagError: the tag is neither true, false nor a number.
    """
    tag = _tag(view, "live")
    if tag in _YES_NO:
        return _LIVE_STEPS if _YES_NO[tag] else 0
    if not tag.isdecimal():
        raise ViewTagError.wrong_value(view.name, "live", tag, "true, false or a number of steps")
    return int(tag)


def kept_rows(view: FeatureView) -> KeptRows | None:
    """The rows that the online store keeps beside a step; None for none.

    Raises:
        ViewTagError: the tag is not what `KeptRows.tag` writes, or the view is `live`, too.
    """
    tag = str((view.tags or {}).get("kept_rows", ""))
    kept = KeptRows.of_tag(tag)
    if tag and (kept is None or tail_steps(view)):
        expected = "what KeptRows.tag writes, of a view that is not live"
        raise ViewTagError.wrong_value(view.name, "kept_rows", tag, expected)
    return kept


def _tag(view: FeatureView, name: str) -> str:
    return str((view.tags or {}).get(name, "")).strip().lower()
