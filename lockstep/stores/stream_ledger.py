"""What a stream made visible: beside the materialisations in the ledger, many batches a record.

    <lake>/_ledger/<project>/<view>/20180902T000000.000000Z.stream-begun.json
    <lake>/_ledger/<project>/<view>/20180902T000000.000000Z.stream.json

Two small objects for each stretch of some seconds: one before its first batch, one after its last.
Of a stretch that broke off there is the first alone: until the next one begins, the store may have
held anything that was known by then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from lockstep.lake.lake import Lake
from lockstep.stores.errors import LedgerError
from lockstep.stores.ledger import Run, ledger_folder, record_stem
from lockstep.windows.microseconds import instant_at

_BEGUN, _DONE = ".stream-begun.json", ".stream.json"
_TICK = timedelta(microseconds=1)
_T = TypeVar("_T", "StreamBeginning", "StreamRow")


@dataclass(frozen=True)
class StreamBeginning:
    """A stretch of batches that is about to begin; the partitions of the topic that it is of."""

    project: str
    view: str
    started: datetime
    definition: str
    partitions: tuple[int, ...]
    count: int

    @property
    def key(self) -> str:
        """The key of its object."""
        return f"{record_stem(self.project, self.view, self.started)}{_BEGUN}"

    @property
    def is_whole(self) -> bool:
        """Whether it is of all partitions."""
        return len(self.partitions) == self.count


@dataclass(frozen=True)
class StreamRow:
    """A stretch that has ended.

    Each of `cuts` is a batch that wrote steps, in microseconds: when it began to write, when it
    had written, and the instant before which everything that was final is there since. What is
    between two batches wrote nothing. `steps` were emitted, of which the store took `written`;
    `content` is a hash of them, in order, empty where there were none.
    """

    begun: StreamBeginning
    cuts: tuple[tuple[int, int, int], ...]
    steps: int
    written: int
    content: str

    @property
    def key(self) -> str:
        """The key of its object."""
        begun = self.begun
        return f"{record_stem(begun.project, begun.view, begun.started)}{_DONE}"

    def runs(self) -> Iterator[Run]:
        """Each batch as a run over what was known before its cut."""
        for began, written, until in self.cuts:
            covered = instant_at(until) - _TICK
            yield Run(instant_at(began), instant_at(written), covered, self.begun.definition)


@dataclass(frozen=True)
class Streamed:
    """The batches that are on record, those that may have been, and what cannot be told."""

    runs: tuple[Run, ...]
    broken: tuple[Run, ...]
    problems: tuple[str, ...]


def append_stream(lake: Lake, row: StreamBeginning | StreamRow) -> None:
    """Adds the record.

    Raises:
        LakeError: the lake cannot be written to.
    """
    told = json.dumps(asdict(row), default=datetime.isoformat)
    lake.write_bytes(row.key, (told + "\n").encode())


def streamed(lake: Lake, project: str, view: str) -> Streamed:
    """All that is on record of a view's stream, oldest first.

    Raises:
        LakeError: the lake cannot be reached.
    """
    keys = sorted(lake.list(ledger_folder(project, view)))
    problems = list[str]()
    begun = _read(lake, [k for k in keys if k.endswith(_BEGUN)], _beginning, problems)
    rows = _read(lake, [k for k in keys if k.endswith(_DONE)], _row, problems)
    if not all(one.is_whole for one in (*begun, *(row.begun for row in rows))):
        problems.append(f"the stream of {view} is on record by some of its partitions only")
    whole = [row for row in rows if row.begun.is_whole]
    ended = {row.begun.started for row in rows}
    broken = list[Run]()
    for one, after in pairwise([*begun, None]):
        if one is not None and one.started not in ended and one.is_whole:
            # It can have written nothing that was not known when the next one began.
            until = after.started if after else datetime.max.replace(tzinfo=one.started.tzinfo)
            broken.append(Run(one.started, until, until, one.definition))
    return Streamed(
        tuple(run for row in whole for run in row.runs()), tuple(broken), tuple(problems)
    )


def merged_cut(cuts: Sequence[tuple[int, int, int]], until_us: int) -> list[tuple[int, int, int]]:
    """The cuts, the last of which reaches further: nothing became final in between.

    >>> merged_cut([(1, 2, 3)], 9)
    [(1, 2, 9)]
    """
    *others, (began, written, _) = cuts
    return [*others, (began, written, until_us)]


def _read(
    lake: Lake, keys: Sequence[str], read: Callable[[dict[str, Any]], _T], problems: list[str]
) -> list[_T]:
    found = []
    for key in keys:
        try:
            row = read(json.loads(lake.read_bytes(key)))
            if row.key != key:
                raise ValueError(f"it is the record {row.key}")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            problems.append(str(LedgerError.damaged(lake.address(key), error)))
        else:
            found.append(row)
    return found


def _beginning(fields: dict[str, Any]) -> StreamBeginning:
    started = datetime.fromisoformat(fields["started"])
    if started.tzinfo is None:
        raise ValueError(f"{started} has no time zone")
    partitions = tuple(fields["partitions"])
    return StreamBeginning(**fields | {"started": started, "partitions": partitions})


def _row(fields: dict[str, Any]) -> StreamRow:
    cuts = tuple((int(a), int(b), int(c)) for a, b, c in fields["cuts"])
    return StreamRow(**fields | {"begun": _beginning(fields["begun"]), "cuts": cuts})
