"""How far the online store could see at each T: as the ledger recorded it, or by a schedule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import polars as pl

from lockstep.stores.column_types import UTC_TIME
from lockstep.stores.errors import PluginError
from lockstep.windows.microseconds import microseconds

_TICK_US = 1
_BEFORE_ALL = datetime(1, 1, 2, tzinfo=UTC)


class VisibilityError(PluginError):
    """Rows of which it cannot be said what they were served."""

    @classmethod
    def no_schedule(cls, every: timedelta, delay: timedelta) -> VisibilityError:
        return cls(
            f"no schedule: every {every}, visible {delay} later",
            next_step="materialise every so many hours or days, and not before their time",
        )

    @classmethod
    def no_rows(cls, view: str) -> VisibilityError:
        return cls(
            f"no materialisation of {view!r} is on record",
            next_step="declare a schedule for the time before there was a ledger",
        )

    @classmethod
    def before_ledger(cls, view: str, first: datetime, rows: int) -> VisibilityError:
        return cls(
            f"{rows:,} rows have a T before {first.isoformat()}, when the first materialisation "
            f"of {view!r} that is on record had finished",
            next_step="declare a schedule for the time before it, such as 'ledger,1h'",
        )

    @classmethod
    def other_rows(cls, rows: int, answered: int) -> VisibilityError:
        return cls(
            f"{rows:,} rows are joined and {answered:,} were answered",
            next_step="join exactly the rows that were answered, in their order",
        )

    @classmethod
    def known_as_of(cls) -> VisibilityError:
        return cls(
            "rows with known_as_of may know what came after T, so nothing like it was served",
            next_step="drop known_as_of, or join without asking for what was served",
        )


class Visibility(ABC):
    """For a view and instants T: the time up to which the store then held its steps."""

    @abstractmethod
    def until(self, view: str, at: pl.Series) -> pl.Series:
        """For each T of `at` the end of what was visible; after T a step is FUTURE.

        A step was visible when its event and created time are at most that. Instants are
        UTC microseconds without nulls, in and out.

        Raises:
            VisibilityError: it is not known of the view, or of some T.
        """

    @property
    @abstractmethod
    def label(self) -> str:
        """What it is, in a few words for receipts and reports."""


@dataclass(frozen=True)
class Scheduled(Visibility):
    """A materialisation at each multiple of `every` since 1970, visible `delay` after it.

    Each covers what became final before that instant, as `lockstep build --end` and `feast
    materialize` up to it do.

    >>> at = pl.Series([0, 3_599_999_999, 3_600_000_000]).cast(pl.Datetime("us", "UTC"))
    >>> Scheduled(timedelta(hours=1)).until("any", at).to_physical().to_list()
    [-1, -1, 3599999999]
    """

    every: timedelta
    delay: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.every <= timedelta(0) or self.delay < timedelta(0):
            raise VisibilityError.no_schedule(self.every, self.delay)

    def until(self, view: str, at: pl.Series) -> pl.Series:
        every_us, delay_us = (d // timedelta(microseconds=1) for d in (self.every, self.delay))
        run_us = (at.to_physical() - delay_us) // every_us * every_us
        return (run_us - _TICK_US).cast(UTC_TIME)

    @property
    def label(self) -> str:
        later = f", visible {_in_words(self.delay)} later" if self.delay else ""
        return f"every {_in_words(self.every)}{later}"


class Run(Protocol):
    """A materialisation: from `finished` on the store held what was known by `covered_end`."""

    @property
    def finished(self) -> datetime: ...

    @property
    def covered_end(self) -> datetime: ...


@dataclass(frozen=True)
class Nothing(Visibility):
    """An empty store: no step is as old as what can be seen of it."""

    def until(self, view: str, at: pl.Series) -> pl.Series:
        return pl.repeat(_BEFORE_ALL, len(at), dtype=UTC_TIME, eager=True)

    @property
    def label(self) -> str:
        return "nothing"


@dataclass(frozen=True)
class Recorded(Visibility):
    """What the materialisations in the ledger made visible, by the runs of each view.

    At T the store held what the runs that had finished by T covered; T inside a run sees
    what there was before it. `before` stands for the time before the first run.
    """

    rows: Mapping[str, Sequence[Run]]
    before: Visibility | None = None

    def until(self, view: str, at: pl.Series) -> pl.Series:
        rows = sorted(self.rows.get(view, ()), key=lambda row: row.finished)
        if not rows:
            if self.before is None:
                raise VisibilityError.no_rows(view)
            return self.before.until(view, at)
        finished = np.array([microseconds(row.finished) for row in rows], np.int64)
        # A run over older times takes nothing back: the store keeps what is newer.
        covered = np.maximum.accumulate([microseconds(row.covered_end) for row in rows])
        t = at.to_physical().to_numpy()
        last = np.searchsorted(finished, t, side="right") - 1
        seen = pl.Series(np.minimum(covered[last], t), dtype=pl.Int64).cast(UTC_TIME)
        early = pl.Series(last < 0)
        if not early.any():
            return seen
        if self.before is None:
            raise VisibilityError.before_ledger(view, rows[0].finished, int(early.sum()))
        return self.before.until(view, at).zip_with(early, seen)

    @property
    def label(self) -> str:
        return "as the ledger recorded it" + (
            f", before it {self.before.label}" if self.before else ""
        )


@dataclass(frozen=True)
class Answered(Visibility):
    """What was visible when each row was answered, which is another clock than T's.

    `at` are these instants, row by row: history may be asked of a store that holds later steps.
    """

    visibility: Visibility
    at: pl.Series

    def until(self, view: str, at: pl.Series) -> pl.Series:
        if len(at) != len(self.at):
            raise VisibilityError.other_rows(len(at), len(self.at))
        return self.visibility.until(view, self.at)

    @property
    def label(self) -> str:
        return f"{self.visibility.label}, when it was answered"


def _in_words(length: timedelta) -> str:
    """The length in the longest unit that it is a whole number of, such as 90m."""
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h")):
        if not length % unit:
            return f"{length // unit}{name}"
    return f"{length / timedelta(minutes=1):g}m"
