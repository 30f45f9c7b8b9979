"""One decimal number as ingestion stores it: whole units, or what is wrong with it.

The rules are those of `parse` and `check`, which have them for whole columns of a file; here they
are for the few numbers of a request. Columns that are `rounded` it does not know: digits beyond
the column's scale are refused there too.
"""

from __future__ import annotations

import math
import re

from lockstep.jobs.ingest.column import INT64_MAX, Column, Problem
from lockstep.jobs.ingest.parse import FLOAT_NOISE, LARGEST_IN_FLOAT

_DECIMAL = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)", re.ASCII)
# Longer than any number that could be stored.
_MOST_DIGITS = 60


def units(value: object, column: Column) -> int | Problem:
    """The int64 that `column` stores for a number or a text, or why it is refused.

    >>> units("57.16", Column("price", "decimal", scale=2))
    5716
    >>> units(0.001, Column("price", "decimal", scale=2))
    <Problem.TOO_PRECISE: 'too_precise'>
    """
    found = _scaled(value, column.scale)
    if isinstance(found, Problem):
        return found
    if found < column.minimum:
        return Problem.TOO_SMALL
    return Problem.TOO_LARGE if found > column.maximum else found


def _scaled(value: object, scale: int) -> int | Problem:
    if isinstance(value, str):
        return _of_text(value.strip(), scale)
    if isinstance(value, float):
        return _of_float(value, scale)
    if type(value) is int:
        return value * int(10**scale)
    return Problem.NOT_A_NUMBER


def _of_text(text: str, scale: int) -> int | Problem:
    parts = _DECIMAL.fullmatch(text) if len(text) <= _MOST_DIGITS else None
    if parts is None or not (parts[2] or parts[3]):
        return Problem.NOT_A_NUMBER
    fraction = parts[3].rstrip("0")
    if len(fraction) > scale:
        return _of_float(float(text), scale)
    found = int(parts[1] + parts[2] + fraction.ljust(scale, "0"))
    return found if abs(found) <= INT64_MAX else Problem.NOT_A_NUMBER


def _of_float(value: float, scale: int) -> int | Problem:
    scaled: float = value * 10**scale
    if not math.isfinite(value):
        return Problem.NOT_A_NUMBER
    if abs(scaled) > LARGEST_IN_FLOAT:
        return Problem.TOO_LARGE if scaled > 0 else Problem.TOO_SMALL
    found = round(scaled)
    if abs(scaled - found) > abs(found) * FLOAT_NOISE:
        return Problem.TOO_PRECISE
    return found
