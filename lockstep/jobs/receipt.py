"""The account of one build: what it read, what it wrote, up to when its table is exact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lockstep.lake.table import LakeTable

_FOLDER = "_receipts"


@dataclass(frozen=True)
class BuildReceipt:
    """What one build of one table did; written beside the table and shown on the terminal.

    Instants are ISO 8601 in UTC. The build made the steps that became final in
    [start, end); no start is from the first event on. The table is exact for
    T < `horizon`. `rows_in` rows of the source became known in the interval, of
    `entities` entities; `late` counts them by age (see `Arrivals`). `days` partitions of
    `bytes` bytes hold the interval's `steps`, and steps beside them where it covers a
    part of a day. `merged_by_resolution` change points fell on another one's grid point.
    `content_hash` is over the whole table. `stale_days` are the first and the last day to
    be built again, as the sources behind them changed; empty when there are none.
    `peak_mb` is the highest resident memory so far of a process that computed, in units of
    10^6 bytes: this one, or one of Spark's.
    """

    engine: str
    table: str
    start: str | None
    end: str
    horizon: str
    rows_in: int
    late: Mapping[str, int]
    deletions: int
    entities: int
    steps: int
    merged_by_resolution: int
    days: int
    bytes: int
    content_hash: str
    stale_days: tuple[str, ...]
    seconds: float
    peak_mb: int

    def as_json(self) -> dict[str, Any]:
        """The fields as they stand in the table's metadata."""
        return asdict(self) | {"stale_days": list(self.stale_days)}


def write_receipt(receipt: BuildReceipt, table: LakeTable, *, began: datetime) -> None:
    """Keeps the receipt in the table's folder, one object a build, named after its beginning."""
    name = began.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    text = json.dumps(receipt.as_json(), indent=2) + "\n"
    table.lake.write_bytes(table.key(f"{_FOLDER}/{name}.json"), text.encode())
