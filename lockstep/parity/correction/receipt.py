"""The account of corrections: what was read in the lake and online, before and after.

<lake>/_parity/corrections/20261123T120000.000000Z.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lockstep.lake.lake import Lake
from lockstep.parity.erasure.journal import write_json

CORRECTIONS = "_parity/corrections/"


@dataclass(frozen=True)
class Change:
    """A content before and after, as hashes."""

    before: str
    after: str


@dataclass(frozen=True)
class CorrectionReceipt:
    """One file of corrections; instants are ISO 8601 in UTC.

    `rows` of it changed something. `tables` hashes the rows that hold of their ids, `windows`
    the window tables as they were built before and after. `online` has for each view that was
    materialised how many keys were laid beside the lake, and how many of them differ.
    """

    id: str
    use_case: str
    source_file: str
    source_sha256: str
    finished: str
    rows: int
    tables: Mapping[str, Change]
    windows: Mapping[str, Change]
    online: Mapping[str, Mapping[str, int]]

    @property
    def is_clean(self) -> bool:
        """Whether the online store holds what the lake says, of every key that was touched."""
        return not any(counts["differing"] for counts in self.online.values())

    def as_json(self) -> dict[str, Any]:
        """The fields, and what they come to."""
        return asdict(self) | {"is_clean": self.is_clean}

    def write(self, lake: Lake) -> str:
        """Keeps it in the lake, and returns its address."""
        key = f"{CORRECTIONS}{self.id}.json"
        write_json(lake, key, self.as_json())
        return lake.address(key)
