"""Lengths of time as people write them, held in microseconds."""

from __future__ import annotations

import re

from lockstep.windows.errors import WindowSpecError

_MICROSECONDS = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_PATTERN = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_BARS = re.compile(r"([1-9][0-9]{0,5})b")


def duration_us(text: str) -> int:
    """The length of `text` in microseconds; `m`, `h` and `d` are minutes, hours and days.

    Raises:
        WindowSpecError: `text` is not a positive whole number of at most six digits and one of
            the units.

    >>> duration_us("7d")
    604800000000
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise WindowSpecError.bad_duration(text)
    return int(match[1]) * _MICROSECONDS[match[2]]


def bar_count(text: str) -> int:
    """How many bars `text` says, of a window that is counted in bars.

    Raises:
        WindowSpecError: `text` is not a positive whole number of at most six digits and a `b`.

    >>> bar_count("200b")
    200
    """
    match = _BARS.fullmatch(text)
    if match is None:
        raise WindowSpecError.bad_bars(text)
    return int(match[1])
