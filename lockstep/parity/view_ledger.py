"""What the ledger tells of one view, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lockstep.lake.lake import Lake
from lockstep.stores.errors import LedgerError
from lockstep.stores.ledger import Beginning, LedgerRow, ledger_folder, read_row, unfinished
from lockstep.stores.visibility import Nothing, Recorded

if TYPE_CHECKING:
    from feast import FeatureView

_DONE = "Z.json"


@dataclass(frozen=True)
class Run:
    """A materialisation, by what it made visible from when on."""

    finished: datetime
    covered_end: datetime


@dataclass(frozen=True)
class ViewLedger:
    """The runs of one view that ended, oldest first, and those that did not.

    `problems` says in words what could not be read or cannot be: what these records would have
    explained stays unexplained.
    """

    view: str
    runs: tuple[LedgerRow, ...]
    unfinished: tuple[Beginning, ...]
    problems: tuple[str, ...]

    @classmethod
    def read(cls, lake: Lake, project: str, view: FeatureView) -> ViewLedger:
        """All that is on record of the view.

        Raises:
            LakeError: the lake cannot be reached.
        """
        runs, problems, begun = [], [], list[Beginning]()
        for key in lake.list(ledger_folder(project, view.name)):
            if not key.endswith(_DONE):
                continue
            try:
                run = read_row(lake, key)
            except LedgerError as error:
                problems.append(str(error))
                continue
            if run is not None and run.finished < run.started:
                problems.append(f"{lake.address(key)} ended before it began: a clock went back")
            elif run is not None:
                runs.append(run)
        try:
            begun = unfinished(lake, project, view.name)
        except LedgerError as error:
            problems.append(str(error))
        problems += [
            f"the materialisation of {view.name} begun at {one.started.isoformat()} has no end"
            for one in begun
        ]
        if not runs:
            problems.append(f"no materialisation of {view.name} is on record")
        return cls(view.name, tuple(runs), tuple(begun), tuple(problems))

    def definition_at(self, instant: datetime) -> str | None:
        """The definition of what the run wrote that had finished last; None for no run."""
        done = [run for run in self.runs if run.finished <= instant]
        return max(done, key=lambda run: run.finished).definition if done else None


def held(ledgers: Mapping[str, ViewLedger]) -> Recorded:
    """What the store held, by the runs that had finished."""
    return Recorded({ledger.view: ledger.runs for ledger in ledgers.values()}, Nothing())


def held_if_begun(ledgers: Mapping[str, ViewLedger]) -> Recorded:
    """What the store would hold if each run had done its work when it began, or broke off."""
    begun = {
        ledger.view: [Run(run.started, run.covered_end) for run in ledger.runs]
        + [Run(run.started, run.covered_end) for run in ledger.unfinished]
        for ledger in ledgers.values()
    }
    return Recorded(begun, Nothing())
