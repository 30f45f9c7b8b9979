"""Numbers as people read them, in a terminal and on a model card."""

from __future__ import annotations

import math

# From here on digits after the point say nothing.
_LARGE = 10_000


def in_digits(number: float, *, like: float | None = None) -> str:
    """A whole number in thousands, another with four digits after the point, or none if large.

    With `like` it has as many as that one would have. What is not known is a dash.

    >>> in_digits(1_754_155), in_digits(0.58664), in_digits(5_200_000.4), in_digits(float("nan"))
    ('1,754,155', '0.5866', '5,200,000', '-')
    >>> in_digits(9_999.5, like=10_000.5)
    '10,000'
    """
    if isinstance(number, int):
        return f"{number:,}"
    if math.isnan(number):
        return "-"
    digits = 4 if abs(number if like is None else like) < _LARGE else 0
    return f"{number:,.{digits}f}"
