"""The ledger: what each materialisation made visible in the online store, and when.

    <lake>/_ledger/<project>/<view>/20180902T000000.000000Z.begun.json
    <lake>/_ledger/<project>/<view>/20180902T000000.000000Z.json

Two small objects for each view and run, only ever added, named after its beginning: one before
the first row is written, one after the last. A run that broke off has the first alone, so what it
may have left in the store is on record too. What is written or deleted by anything else than a
materialisation has two of its own, named `...Z.<kind>-begun.json` and `...Z.<kind>.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

from lockstep.lake.errors import NoObjectError
from lockstep.lake.lake import Lake
from lockstep.stores.errors import LedgerError

_INSTANTS = ("started", "finished", "asked_start", "asked_end", "covered_end", "horizon")
_BEGUN = ".begun.json"
_T = TypeVar("_T", "LedgerRow", "Beginning", "ChangeRow")
_DONE = "Z.json"
ChangeKind = Literal["deletion", "correction", "view-deletion"]
_CHANGES: tuple[ChangeKind, ...] = ("deletion", "correction", "view-deletion")


@dataclass(frozen=True)
class Run:
    """Some of a view's steps on their way into the online store.

    From `started` to `finished` it held them or not, from then on it had all with an event and a
    created time up to `covered_end`. `definition` is as in `LedgerRow`. Instants are aware, UTC.
    """

    started: datetime
    finished: datetime
    covered_end: datetime
    definition: str


@dataclass(frozen=True)
class Beginning:
    """A materialisation of one view that is about to write rows with event <= `covered_end`.

    `definition` is as in `LedgerRow`. Instants are aware, UTC.
    """

    project: str
    view: str
    started: datetime
    covered_end: datetime
    definition: str

    @property
    def key(self) -> str:
        """The key of its object."""
        return f"{record_stem(self.project, self.view, self.started)}{_BEGUN}"


@dataclass(frozen=True)
class LedgerRow:
    """One materialisation of one view.

    From `finished` on the online store held, for every key, its newest row with
    event <= `covered_end`; between `started` and `finished` the old row or the new one.
    `asked_start` and `asked_end` are what was asked for. `horizon` is the T before which
    the view was exact then. `definition` is a hash of the view's columns, keys and source;
    `files` are the table's files that there were, and their versions. Of the `read` keys
    the store took `written`, and had a newer row of `older`; `content` is the hash of what was
    read, in its order (see `lockstep.lake.content_hash`), empty where nothing was. Instants are
    aware, UTC.
    """

    project: str
    view: str
    started: datetime
    finished: datetime
    asked_start: datetime
    asked_end: datetime
    covered_end: datetime
    horizon: datetime
    definition: str
    files: Mapping[str, str]
    read: int
    written: int
    older: int
    content: str = ""

    @property
    def key(self) -> str:
        """The key of the row's object."""
        return f"{record_stem(self.project, self.view, self.started)}.json"


@dataclass(frozen=True)
class ChangeRow:
    """Rows of one view that were changed in the online store otherwise than by materialising.

    While `finished` is None it is about to begin. `rows` keys were deleted, or had a value that
    was corrected; `content` is a hash of what they were told by. A view's deletion takes all of
    its rows, counts them at its end and has no `content`. `definition` is as in `LedgerRow`.
    Instants are aware, UTC.
    """

    project: str
    view: str
    kind: ChangeKind
    definition: str
    started: datetime
    finished: datetime | None = None
    rows: int = 0
    content: str = ""

    @property
    def key(self) -> str:
        """The key of its object, which is another one once it has finished."""
        ending = "-begun" if self.finished is None else ""
        return f"{record_stem(self.project, self.view, self.started)}.{self.kind}{ending}.json"


def ledger_folder(project: str, view: str) -> str:
    """The prefix of the rows of one view."""
    return f"_ledger/{project}/{view}/"


def append(lake: Lake, row: LedgerRow | Beginning | ChangeRow) -> None:
    """Adds the row.

    Raises:
        LakeError: the lake cannot be written to.
    """
    fields = asdict(row)
    told = {n: v.isoformat() if isinstance(v, datetime) else v for n, v in fields.items()}
    lake.write_bytes(row.key, (json.dumps(told, indent=2) + "\n").encode())


def read_row(lake: Lake, key: str) -> LedgerRow | None:
    """The row of that key; None if there is none.

    Raises:
        LedgerError: it is damaged.
        LakeError: the lake cannot be reached.
    """
    return _read(lake, key, LedgerRow, _INSTANTS)


def rows_of(lake: Lake, project: str, view: str) -> list[LedgerRow]:
    """All rows of one view, oldest first.

    Raises:
        LedgerError: one is damaged.
        LakeError: the lake cannot be reached.
    """
    found = (read_row(lake, key) for key in _keys(lake, project, view, _DONE))
    return [row for row in found if row is not None]


def unfinished(lake: Lake, project: str, view: str) -> list[Beginning]:
    """The runs of one view that began and have not come to their end, oldest first.

    They are under way, or broke off.

    Raises:
        LedgerError: one is damaged.
        LakeError: the lake cannot be reached.
    """
    found = (read_beginning(lake, key) for key in unfinished_keys(lake, project, view))
    return [one for one in found if one is not None]


def unfinished_keys(lake: Lake, project: str, view: str) -> list[str]:
    """The keys of the beginnings that have no end, oldest first.

    Raises:
        LakeError: the lake cannot be reached.
    """
    done = {key.removesuffix(".json") for key in _keys(lake, project, view, _DONE)}
    return [k for k in _keys(lake, project, view, _BEGUN) if k.removesuffix(_BEGUN) not in done]


def read_beginning(lake: Lake, key: str) -> Beginning | None:
    """The beginning of that key; None if there is none. Raises as `read_row` does."""
    return _read(lake, key, Beginning, ("started", "covered_end"))


def newest_row(lake: Lake, project: str, view: str) -> LedgerRow | None:
    """The row of the materialisation of one view that began last; None if there was none.

    Raises:
        LedgerError: it is damaged.
        LakeError: the lake cannot be reached.
    """
    keys = _keys(lake, project, view, _DONE)
    return read_row(lake, keys[-1]) if keys else None


def changes_of(lake: Lake, project: str, view: str) -> list[ChangeRow]:
    """The deletions and corrections of one view, oldest first.

    One without `finished` is under way, or broke off.

    Raises:
        LedgerError: one is damaged.
        LakeError: the lake cannot be reached.
    """
    found: dict[tuple[datetime, str], ChangeRow] = {}
    for kind in _CHANGES:
        for ending in (f".{kind}-begun.json", f".{kind}.json"):
            for key in _keys(lake, project, view, ending):
                instants = (
                    ("started",) if ending.endswith("-begun.json") else ("started", "finished")
                )
                if row := _read(lake, key, ChangeRow, instants):
                    found[row.started, row.kind] = row
    return [found[at] for at in sorted(found)]


def record_stem(project: str, view: str, started: datetime) -> str:
    """How the keys begin that a view's record of that beginning has."""
    began = started.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{ledger_folder(project, view)}{began}"


def _keys(lake: Lake, project: str, view: str, ending: str) -> list[str]:
    return [key for key in lake.list(ledger_folder(project, view)) if key.endswith(ending)]


def _read(lake: Lake, key: str, kind: type[_T], instants: Sequence[str]) -> _T | None:
    try:
        text = lake.read_bytes(key)
    except NoObjectError:
        return None
    try:
        fields = json.loads(text)
        row = kind(**fields | {n: _instant(fields[n]) for n in instants})
        if row.key != key:
            raise ValueError(f"it is the record {row.key}")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LedgerError.damaged(lake.address(key), error) from error
    return row


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return instant
