"""The account of one ingest: every row that came in is in exactly one of its counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.source import source_key
from lockstep.lake.table import LakeTable

_METADATA_KEY = "ingests"


@dataclass(frozen=True)
class IngestReceipt:
    """Where the rows of one file went.

    `rejected_by_reason` counts a row under each of its reasons, so its sum may exceed
    `rejected`. `days_written` counts the partitions by table; the first and the last day
    are those of the good rows, None when there are none. `created_time_from` says
    whether created times are the file's own or were taken from the event times.

    Raises:
        IngestError: the counts do not add up to `rows_in`.
    """

    use_case: str
    source_file: str
    source_sha256: str
    rows_in: int
    accepted: int
    already_there: int
    rejected: int
    rejected_by_reason: Mapping[str, int]
    first_day: str | None
    last_day: str | None
    days_written: Mapping[str, int]
    created_time_from: Literal["event_time", "column"]
    seconds: float

    def __post_init__(self) -> None:
        accounted = self.accepted + self.already_there + self.rejected
        if accounted != self.rows_in:
            raise IngestError.unbalanced(self.rows_in, accounted=accounted)


def record(receipt: IngestReceipt, lake_dir: Path, tables: list[str]) -> None:
    """Writes the receipt into each table's metadata, under its file's content.

    The last ingest of a file stands for it; other files' receipts and other keys stay.
    """
    for name in tables:
        table = LakeTable(lake_dir, name)
        metadata = table.metadata()
        receipts: dict[str, Any] = metadata.get(_METADATA_KEY, {})
        own = {source_key(receipt.source_sha256): asdict(receipt)}
        table.write_metadata({**metadata, _METADATA_KEY: receipts | own})
