"""Saved datasets of Feast: those of the registry, by the entity's column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockstep.lake.lake import Lake
from lockstep.lake.parquet import schema_of
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.journal import read_json
from lockstep.parity.erasure.marks import marked
from lockstep.parity.erasure.parquet_rows import ParquetRows
from lockstep.parity.erasure.place import Found
from lockstep.stores.source_table import SourceTable

if TYPE_CHECKING:
    from feast import FeatureStore


@dataclass(frozen=True)
class SavedDatasets:
    """The datasets' rows; the receipt beside one that loses rows says `erased`, and by which `id`.

    Its hash is that of the rows before: it no longer verifies, and says why.
    """

    store: FeatureStore
    lake: Lake
    entity: ErasedEntity
    id: str
    name: str = "saved datasets"

    def find(self) -> Found:
        found = Found()
        for name, table in self._tables().items():
            if not table.exists():
                continue
            if self.entity.column not in schema_of(table.lake, table.files[0]):
                why = f"saved dataset {name!r} has no {self.entity.column}: it cannot be said whose"
                found += Found(remains=(f"{why} its rows are",))
            found += self._rows(table).find()
        return found

    def erase(self) -> None:
        for table in self._tables().values():
            if table.exists() and self._rows(table).find().rows:
                self._mark(table)
                self._rows(table).erase()

    def objects(self) -> list[str]:
        """The datasets' objects that lie in the lake."""
        tables = [table for table in self._tables().values() if table.lake == self.lake]
        return [key for table in tables for key in self._keys(table)]

    def _rows(self, table: SourceTable) -> ParquetRows:
        return ParquetRows(self.name, table.lake, lambda: self._keys(table), self.entity.rows())

    def _keys(self, table: SourceTable) -> list[str]:
        """Listed anew: where all rows of a file were the entity's it is gone."""
        fresh = SourceTable(table.lake, table.name)
        return fresh.files if fresh.exists() else []

    def _tables(self) -> dict[str, SourceTable]:
        found = sorted(self.store.list_saved_datasets(), key=lambda one: str(one.name))
        return {
            str(one.name): SourceTable.of(one.storage.to_data_source(), self.lake) for one in found
        }

    def _mark(self, table: SourceTable) -> None:
        key = f"{table.name.removesuffix('.parquet')}.receipt.json"
        if table.lake.exists(key):
            table.lake.write_bytes(key, marked(read_json(table.lake, key), self.id))
