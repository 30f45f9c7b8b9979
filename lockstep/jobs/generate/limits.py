"""Limits that the options of every generator share."""

from __future__ import annotations

from datetime import date
from typing import Any

from lockstep.jobs.generate.errors import GenerateError

_FIRST_YEAR = 1970
_END = date(2100, 1, 1)


def check_options(options: Any, *, sizes: tuple[str, ...], spare_days: int = 0) -> None:
    """Returns where `sizes`, `days` among them, are 1 or more and the seed is not negative.

    And all days, with `spare_days` for what follows the last one, lie in the years from 1970
    to 2099. `options` also has `seed` and `start`.

    Raises:
        GenerateError: one of them does not.
    """
    for option in sizes:
        if getattr(options, option) < 1:
            raise GenerateError.out_of_range(option, getattr(options, option), "at least 1")
    if options.seed < 0:
        raise GenerateError.out_of_range("seed", options.seed, "at least 0")
    room = (_END - options.start).days - spare_days
    if options.start.year < _FIRST_YEAR or options.days > room:
        got = f"{options.start} for {options.days:,} days"
        raise GenerateError.out_of_range("start", got, "days between 1970 and 2099")
