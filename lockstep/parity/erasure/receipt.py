"""The account of an erasure: what stood where before it, and what was read there after it.

    <lake>/_parity/erasures/20261123T120000.000000Z.json

The entity stands in it as a hash alone (`lockstep.lake.forgotten`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from lockstep.lake.lake import Lake
from lockstep.parity.erasure.errors import ErasureError
from lockstep.parity.erasure.journal import BEGUN, read_json, write_json

ERASURES = "_parity/erasures/"
NONE_EXIST = "none exist"


@dataclass(frozen=True)
class PlaceProof:
    """One place: rows of the entity, and the objects that had them, before; rows after.

    `remains` names what stays, and why.
    """

    place: str
    rows_before: int
    objects_before: int
    rows_after: int
    remains: tuple[str, ...] = ()


@dataclass(frozen=True)
class ErasureReceipt:
    """One erasure. `entity` is a hash; instants are ISO 8601 in UTC.

    Rows that were known from `first_known_day` on are gone; None where there were none. In
    `tables` the content of each window table is hashed as it was built again. `others` are the
    keys of other entities that were laid beside the lake afterwards, and how many of them differ;
    `touched` are hashes of those whose features had the rows in them (`lockstep.parity.erasure.
    touched`), by window table.
    """

    id: str
    use_case: str
    column: str
    entity: str
    started: str
    finished: str
    is_dry_run: bool
    first_known_day: str | None
    places: tuple[PlaceProof, ...]
    tables: Mapping[str, str]
    others: Mapping[str, int]
    touched: Mapping[str, Sequence[str]]

    @property
    def rows(self) -> int:
        """How many rows were found."""
        return sum(place.rows_before for place in self.places)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left, and nobody else's features are other than the lake's."""
        left = sum(place.rows_after for place in self.places)
        return not left and not self.others.get("differing", 0)

    def as_json(self) -> dict[str, Any]:
        """The fields, and what they come to."""
        return asdict(self) | {"rows": self.rows, "is_clean": self.is_clean}

    def write(self, lake: Lake) -> str:
        """Keeps it in the lake, and returns its address."""
        key = f"{ERASURES}{self.id}.json"
        write_json(lake, key, self.as_json())
        return lake.address(key)


def erased_since(lake: Lake, use_case: str, as_of: datetime) -> list[str]:
    """The ids of the erasures of rows that were known at `as_of`: what was trained on is gone.

    Oldest first; those under way count too. A set with an `as_of` after an erasure never had
    its rows.

    Raises:
        ErasureError: a receipt is damaged.
    """
    found = []
    for key in lake.list(ERASURES):
        told = read_json(lake, key)
        id_ = key.removeprefix(ERASURES).removesuffix(".json").removesuffix(".begun")
        if key.endswith(BEGUN):
            told = _begun(lake, key, told)
        if told.get("use_case") == use_case and _has(told, as_of):
            found.append(id_)
    return list(dict.fromkeys(found))


def _begun(lake: Lake, key: str, told: Mapping[str, Any]) -> dict[str, Any]:
    try:
        first = told["told"]["traces"]["first_known"]
        return {**told["subject"], "first_known_day": first and first[:10], "rows": 1}
    except (KeyError, TypeError) as error:
        raise ErasureError.damaged(lake.address(key), error) from error


def _has(told: Mapping[str, Any], as_of: datetime) -> bool:
    first, finished = told["first_known_day"], told.get("finished")
    if not told["rows"] or not first or date.fromisoformat(first) > as_of.date():
        return False
    return finished is None or as_of < datetime.fromisoformat(finished)
