"""What a record of a stream says: its fields, declared, each one int64."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class RecordField:
    """One field. A `time` is in microseconds since 1970 UTC; bounds are inclusive."""

    name: str
    kind: Literal["integer", "time"] = "integer"
    minimum: int = _INT64_MIN
    maximum: int = _INT64_MAX


@dataclass(frozen=True)
class RecordSchema:
    """The records of one stream. No field is ever null.

    `row_id` names the field that tells one row from another; `key` those after which records are
    spread over partitions: of one key they stay in order. `table` is the lake's table of the
    same rows.
    """

    table: str
    row_id: str
    key: str
    fields: tuple[RecordField, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The fields' names, in their order."""
        return tuple(field.name for field in self.fields)

    @property
    def mark(self) -> bytes:
        """Four bytes of a hash over the table, names and kinds: another schema has others.

        >>> RecordSchema("t", "id", "id", (RecordField("id"),)).mark.hex()
        '417141e5'
        """
        said = [self.table, *(f"{field.name}:{field.kind}" for field in self.fields)]
        return hashlib.sha256("\n".join(said).encode()).digest()[:4]
