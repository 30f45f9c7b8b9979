"""An interval cut into the pieces that one machine's memory holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from lockstep.jobs.footers import Footer
from lockstep.jobs.interval import Interval, midnight_of
from lockstep.windows.spec import WindowSpec

_DAY_US = 86_400_000_000


def slices(
    whole: Interval, footers: Sequence[Footer], spec: WindowSpec, *, most_steps: int
) -> Iterator[Interval]:
    """`whole` in pieces that meet at midnights.

    A piece has at most about `most_steps` steps, and one day at least. Estimated as one
    step for each arrival and each expiry, on the day of the event or so many whole days
    after it: late rows add to it, a `resolution` saves some.
    """
    start, steps = whole.start, 0
    for day, more in sorted(_steps_by_day(footers, spec).items()):
        if not whole.touches(day):
            continue
        if steps and steps + more > most_steps:
            yield Interval(start, midnight_of(day))
            start, steps = midnight_of(day), 0
        steps += more
    yield Interval(start, whole.end)


def _steps_by_day(footers: Sequence[Footer], spec: WindowSpec) -> Counter[date]:
    steps: Counter[date] = Counter()
    for footer in footers:
        for length_us in (0, *spec.lengths_us):
            steps[footer.day + timedelta(days=length_us // _DAY_US)] += footer.rows
    return steps
