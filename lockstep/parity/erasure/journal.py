"""What an erasure or a correction has begun, until it has come to its end.

    <lake>/_parity/erasures/20261123T120000.000000Z.begun.json

It names the entity, since whoever goes on has to find the rest of it, and is removed when the
receipt stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lockstep.lake.lake import Lake
from lockstep.parity.erasure.errors import ErasureError

BEGUN = ".begun.json"


@dataclass(frozen=True)
class Journal:
    """One that has begun; `subject` tells it from others, `told` is all that it needs to go on."""

    folder: str
    id: str
    subject: Mapping[str, Any]
    told: Mapping[str, Any]

    @classmethod
    def find(cls, lake: Lake, folder: str, subject: Mapping[str, Any]) -> Journal | None:
        """The one of that subject that broke off; None if none did.

        Raises:
            ErasureError: a journal is damaged.
        """
        for key in lake.list(folder):
            if key.endswith(BEGUN):
                told = read_json(lake, key)
                if told.get("subject") == dict(subject):
                    id_ = key.removeprefix(folder).removesuffix(BEGUN)
                    return cls(folder, id_, subject, told["told"])
        return None

    def write(self, lake: Lake) -> None:
        """Puts it on record, before the first row goes."""
        told = {"subject": dict(self.subject), "told": dict(self.told)}
        write_json(lake, f"{self.folder}{self.id}{BEGUN}", told)

    def end(self, lake: Lake) -> None:
        """Removes it."""
        lake.delete([f"{self.folder}{self.id}{BEGUN}"])


def id_of(instant: datetime) -> str:
    """The name of what begins at the instant, as it sorts in time."""
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def read_json(lake: Lake, key: str) -> dict[str, Any]:
    """The object's content.

    Raises:
        ErasureError: it is no JSON of a record.
    """
    try:
        return dict(json.loads(lake.read_bytes(key)))
    except (TypeError, ValueError) as error:
        raise ErasureError.damaged(lake.address(key), error) from error


def write_json(lake: Lake, key: str, told: Mapping[str, Any]) -> None:
    """Makes `told` the object's content."""
    lake.write_bytes(key, (json.dumps(dict(told), indent=2) + "\n").encode())
