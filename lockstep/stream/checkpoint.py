"""Where a window worker was: the rows that windows hold, and the position behind the last of them.

    <lake>/_stream/<group>/<topic>/<partition>.parquet

One object, replaced as a whole, so that rows and position are always of one moment.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from polars.exceptions import PolarsError

from lockstep.contract.record_schema import RecordSchema
from lockstep.lake.errors import NoObjectError
from lockstep.lake.lake import Lake
from lockstep.stream.errors import StreamError
from lockstep.stream.port import Position
from lockstep.windows.spec import WindowSpec

_TOLD = "lockstep"


@dataclass(frozen=True)
class Checkpoint:
    """`rows` are all that is known before `until` and can still be held; then comes `position`."""

    rows: pl.DataFrame
    until: datetime
    position: Position


@dataclass(frozen=True)
class Checkpoints:
    """Those of the partitions of one topic, as one group reads it for some specifications."""

    lake: Lake
    group: str
    topic: str
    schema: RecordSchema
    specs: Sequence[WindowSpec]

    def write(self, partition: int, checkpoint: Checkpoint) -> None:
        """Replaces the partition's.

        Raises:
            LakeError: the lake refuses it.
        """
        told = self._identity() | {
            "until": checkpoint.until.isoformat(),
            "position": checkpoint.position,
        }
        metadata = {_TOLD: json.dumps(told)}
        self.lake.write_parquet(self._key(partition), checkpoint.rows.rechunk(), metadata=metadata)

    def read(self, partition: int) -> Checkpoint | None:
        """The partition's; None where there is none yet.

        Raises:
            StreamError: it is damaged, or of other definitions.
            LakeError: the lake cannot be reached.
        """
        key = self._key(partition)
        try:
            data = io.BytesIO(self.lake.read_bytes(key))
        except NoObjectError:
            return None
        try:
            told = json.loads(pl.read_parquet_metadata(data)[_TOLD])
            rows = pl.read_parquet(data)
            until, position = datetime.fromisoformat(told["until"]), str(told["position"])
        except (PolarsError, KeyError, TypeError, ValueError) as error:
            raise StreamError.damaged_checkpoint(self.lake.address(key), error) from error
        if {name: told.get(name) for name in self._identity()} != self._identity():
            raise StreamError.other_definitions(self.lake.address(key))
        return Checkpoint(rows, until, position)

    def _identity(self) -> dict[str, object]:
        prints = {spec.name: spec.fingerprint for spec in self.specs}
        return {"schema": self.schema.mark.hex(), "specs": prints}

    def _key(self, partition: int) -> str:
        return f"_stream/{self.group}/{self.topic}/{partition}.parquet"
