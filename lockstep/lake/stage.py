"""New facts on their way into the tables: written aside, committed at once, then merged.

    <lake>/fraud/_staging/<source>/fraud/transactions/00000.parquet
    <lake>/fraud/_staging/<source>/_committed.json

The commit is the instant at which an ingest happens. Before it no table of facts is
touched, and what was staged is dropped by the next ingest; after it the next ingest,
whatever its source, first merges what an interruption left over. Until all is merged, who
reads a table as a whole refuses it: some days could have half of a correction. One ingest
of a use case runs at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable

_COMMIT = "_committed.json"


@dataclass(frozen=True)
class Stage:
    """What one source adds to the tables of a use case."""

    lake: Lake
    use_case: str
    source_key: str

    @classmethod
    def left_over(cls, lake: Lake, use_case: str) -> list[Stage]:
        """The stages of ingests that did not come to their end."""
        root = f"{use_case}/_staging/"
        keys = {key.removeprefix(root).partition("/")[0] for key in lake.list(root)}
        return [cls(lake, use_case, key) for key in sorted(keys)]

    @classmethod
    def unmerged(cls, table: LakeTable) -> bool:
        """Whether a committed ingest is not yet in all the days of its tables, `table` among them.

        It is under way, or it was interrupted.
        """
        use_case = table.name.rpartition("/")[0]
        return any(stage.account() for stage in cls.left_over(table.lake, use_case))

    def put(self, name: str, number: int, rows: pl.DataFrame) -> None:
        """Writes one piece of what `name` gets."""
        if rows.height:
            self.lake.write_parquet(self._key(f"{name}/{number:05d}.parquet"), rows)

    def has(self, name: str) -> bool:
        """Whether `name` gets anything."""
        return bool(self.lake.list(self._key(f"{name}/")))

    def scan(self, name: str) -> pl.LazyFrame:
        """All pieces of what `name` gets, where it gets any."""
        return self.lake.scan_parquet(self.lake.list(self._key(f"{name}/")))

    def commit(self, account: Mapping[str, Any]) -> None:
        """From here on the facts count as ingested, on this account."""
        self.lake.write_bytes(self._key(_COMMIT), json.dumps(dict(account)).encode())

    def account(self) -> dict[str, Any] | None:
        """What the commit says; None if there was none."""
        key = self._key(_COMMIT)
        return dict(json.loads(self.lake.read_bytes(key))) if self.lake.exists(key) else None

    def drop(self) -> None:
        """Removes everything, the commit first: without it the rest means nothing."""
        self.lake.delete([self._key(_COMMIT)])
        self.lake.delete(self.lake.list(self._key("")))

    def _key(self, suffix: str) -> str:
        return f"{self.use_case}/_staging/{self.source_key}/{suffix}"
