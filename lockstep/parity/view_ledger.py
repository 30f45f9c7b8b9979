"""What the ledger tells of one view, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockstep.lake.lake import Lake
from lockstep.stores.errors import LedgerError
from lockstep.stores.ledger import (
    Beginning,
    LedgerRow,
    Run,
    ledger_folder,
    read_beginning,
    read_row,
    unfinished_keys,
)
from lockstep.stores.stream_ledger import streamed
from lockstep.stores.visibility import Nothing, Recorded

if TYPE_CHECKING:
    from feast import FeatureView

_DONE = "Z.json"


@dataclass(frozen=True)
class ViewLedger:
    """The runs of one view that ended, and those that did not.

    Materialisations, oldest first, then the batches of a stream. `problems` says in words what
    could not be read or cannot be: what these records would have explained stays unexplained.
    """

    view: str
    runs: tuple[LedgerRow | Run, ...]
    unfinished: tuple[Beginning | Run, ...]
    problems: tuple[str, ...]

    @classmethod
    def read(cls, lake: Lake, project: str, view: FeatureView) -> ViewLedger:
        """All that is on record of the view.

        Raises:
            LakeError: the lake cannot be reached.
        """
        runs, begun, problems = list[LedgerRow](), list[Beginning](), list[str]()
        for key in lake.list(ledger_folder(project, view.name)):
            if not key.endswith(_DONE):
                continue
            with _naming(problems):
                if (run := read_row(lake, key)) is not None:
                    _check(lake, run)
                    runs.append(run)
        for key in unfinished_keys(lake, project, view.name):
            with _naming(problems):
                if (one := read_beginning(lake, key)) is not None:
                    begun.append(one)
        problems += [
            f"the materialisation of {view.name} begun at {one.started.isoformat()} has no end"
            for one in begun
            # A later run has brought what it may not have brought.
            if not any(r.started > one.started and r.covered_end >= one.covered_end for r in runs)
        ]
        stream = streamed(lake, project, view.name)
        problems += stream.problems
        if not runs and not stream.runs:
            problems.append(f"no materialisation of {view.name} is on record")
        return cls(view.name, (*runs, *stream.runs), (*begun, *stream.broken), tuple(problems))


@contextmanager
def _naming(problems: list[str]) -> Iterator[None]:
    """Goes on where a record is damaged, which `problems` gets."""
    try:
        yield
    except LedgerError as error:
        problems.append(str(error))


def _check(lake: Lake, run: LedgerRow) -> None:
    """Raises where the record tells what cannot be."""
    if run.finished < run.started:
        why = ValueError("it ended before it began: a clock went back")
        raise LedgerError.damaged(lake.address(run.key), why)


def held(ledgers: Mapping[str, ViewLedger]) -> Recorded:
    """What the store held, by the runs that had finished."""
    return Recorded({ledger.view: ledger.runs for ledger in ledgers.values()}, Nothing())


def held_if_begun(ledgers: Mapping[str, ViewLedger]) -> Recorded:
    """What the store would hold if each run had done its work when it began, or broke off."""
    begun = {
        ledger.view: [
            Run(run.started, run.started, run.covered_end, run.definition)
            for run in (*ledger.runs, *ledger.unfinished)
        ]
        for ledger in ledgers.values()
    }
    return Recorded(begun, Nothing())
