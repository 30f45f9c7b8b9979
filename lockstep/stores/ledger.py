"""The ledger: what each materialisation made visible in the online store, and when.

    <lake>/_ledger/<project>/<view>/20180902T000000.000000Z.json

One small object for each view and run, only ever added, named after its beginning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lockstep.lake.errors import NoObjectError
from lockstep.lake.lake import Lake
from lockstep.stores.errors import LedgerError

_INSTANTS = ("started", "finished", "asked_start", "asked_end", "covered_end", "horizon")


@dataclass(frozen=True)
class LedgerRow:
    """One materialisation of one view.

    From `finished` on the online store held, for every key, its newest row with
    event <= `covered_end`; between `started` and `finished` the old row or the new one.
    `asked_start` and `asked_end` are what was asked for. `horizon` is the T before which
    the view was exact then. `definition` is a hash of the view's columns, keys and source;
    `files` are the table's files that there were, and their versions. Of the `read` keys
    the store took `written`, and had a newer row of `older`. Instants are aware, UTC.
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

    @property
    def key(self) -> str:
        """The key of the row's object."""
        began = self.started.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return f"{ledger_folder(self.project, self.view)}{began}.json"

    def as_json(self) -> dict[str, Any]:
        """The fields, instants in ISO 8601."""
        fields = asdict(self)
        return {n: v.isoformat() if isinstance(v, datetime) else v for n, v in fields.items()}


def ledger_folder(project: str, view: str) -> str:
    """The prefix of the rows of one view."""
    return f"_ledger/{project}/{view}/"


def append(lake: Lake, row: LedgerRow) -> None:
    """Adds the row.

    Raises:
        LakeError: the lake cannot be written to.
    """
    text = json.dumps(row.as_json(), indent=2) + "\n"
    lake.write_bytes(row.key, text.encode())


def read_row(lake: Lake, key: str) -> LedgerRow | None:
    """The row of that key; None if there is none.

    Raises:
        LedgerError: it is damaged.
        LakeError: the lake cannot be reached.
    """
    try:
        text = lake.read_bytes(key)
    except NoObjectError:
        return None
    try:
        fields = json.loads(text)
        return LedgerRow(**fields | {n: datetime.fromisoformat(fields[n]) for n in _INSTANTS})
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerError.damaged(lake.address(key), error) from error


def rows_of(lake: Lake, project: str, view: str) -> list[LedgerRow]:
    """All rows of one view, oldest first.

    Raises:
        LedgerError: one is damaged.
        LakeError: the lake cannot be reached.
    """
    found = (read_row(lake, key) for key in lake.list(ledger_folder(project, view)))
    return [row for row in found if row is not None]


def newest_row(lake: Lake, project: str, view: str) -> LedgerRow | None:
    """The row of the materialisation of one view that began last; None if there was none.

    Raises:
        LedgerError: it is damaged.
        LakeError: the lake cannot be reached.
    """
    keys = lake.list(ledger_folder(project, view))
    return read_row(lake, keys[-1]) if keys else None
