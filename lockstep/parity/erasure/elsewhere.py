"""What is not this use case's to erase, in the lake and outside it: named, never touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.lake import Lake
from lockstep.lake.parquet import schema_of
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.parquet_rows import ParquetRows, parquet_keys
from lockstep.parity.erasure.place import Found

_SHOWN = 5


@dataclass(frozen=True)
class SourceFiles:
    """The files that were ingested, wherever they are, by what the receipts of ingests say."""

    lake: Lake
    spec: IngestSpec
    name: str = "ingested files"

    def find(self) -> Found:
        receipts: dict[str, Any] = {}
        for table in self.spec.tables:
            receipts |= self.lake.table(table.name).metadata().get("ingests", {})
        names = sorted({str(receipt["source_file"]) for receipt in receipts.values()})
        if not names:
            return Found()
        told = ", ".join(names[:_SHOWN]) + (" and more" if len(names) > _SHOWN else "")
        why = "they are not the lake's, and an ingest refuses the entity's rows"
        return Found(remains=(f"{told} stay where they are: {why}",))

    def erase(self) -> None:
        """Nothing: the lake knows their names alone."""


@dataclass(frozen=True)
class Elsewhere:
    """Parquet in the lake that is not `known`, and has rows with the entity's id in its column."""

    lake: Lake
    entity: ErasedEntity
    known: frozenset[str]
    name: str = "elsewhere in the lake"

    def find(self) -> Found:
        keys = [key for key in parquet_keys(self.lake, "") if self._may_have(key)]
        found = [key for key in keys if self._rows(key).find().rows]
        if not found:
            return Found()
        named = ", ".join(found[:_SHOWN])
        return Found(
            remains=(f"{len(found):,} objects of others have rows with this id, such as {named}",)
        )

    def erase(self) -> None:
        """Nothing: what others keep is theirs to erase."""

    def _may_have(self, key: str) -> bool:
        if key in self.known:
            return False
        kind = schema_of(self.lake, key).get(self.entity.column)
        return kind is not None and kind.is_integer()

    def _rows(self, key: str) -> ParquetRows:
        return ParquetRows(self.name, self.lake, lambda: [key], self.entity.rows())
