"""What of an entity has to be known after its rows are gone, to find the rest of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from lockstep.contract.served_log import FEATURES, FEATURES_REQUEST_ID
from lockstep.jobs.arrivals import known_us
from lockstep.lake.lake import Lake
from lockstep.lake.parquet import collect, schema_of
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.parquet_rows import parquet_keys
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import WindowSpec


@dataclass(frozen=True)
class Traces:
    """`keys` has, for each window table, the keys whose steps the entity's rows are part of.

    `requests` are the ids of the requests that asked for it, `first_known` is when the first of
    its rows became known; None for none.
    """

    keys: Mapping[str, Sequence[tuple[int, ...]]]
    requests: Sequence[str]
    first_known: datetime | None

    @classmethod
    def nothing(cls) -> Traces:
        """Of an entity that has left none."""
        return cls({}, (), None)

    @classmethod
    def of(
        cls, lake: Lake, entity: ErasedEntity, use_case: str, specs: Sequence[WindowSpec]
    ) -> Traces:
        """Those that can be read now.

        Raises:
            LakeError: a table cannot be read.
        """
        known: list[int] = []
        keys: dict[str, list[tuple[int, ...]]] = {}
        for spec in specs:
            rows = _rows(lake, spec.source, entity, spec.entity_keys)
            steps = _rows(lake, spec.table, entity, spec.entity_keys)
            known += rows.get_column("known").to_list()[:1]
            both = pl.concat([rows.drop("known"), steps.drop("known")]).unique()
            keys[spec.name] = sorted(both.iter_rows())
        first = instant_at(min(known)) if known else None
        return cls(keys, _requests(lake, entity, use_case), first)

    def __add__(self, other: Traces) -> Traces:
        names = {*self.keys, *other.keys}
        keys = {n: sorted({*self.keys.get(n, ()), *other.keys.get(n, ())}) for n in sorted(names)}
        first = [one for one in (self.first_known, other.first_known) if one]
        requests = sorted({*self.requests, *other.requests})
        return Traces(keys, requests, min(first, default=None))

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain values."""
        first = self.first_known.isoformat() if self.first_known else None
        keys = {name: [list(key) for key in found] for name, found in self.keys.items()}
        return {"keys": keys, "requests": list(self.requests), "first_known": first}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Traces:
        """What `as_json` told."""
        first = told["first_known"]
        return cls(
            {name: [tuple(key) for key in found] for name, found in told["keys"].items()},
            told["requests"],
            datetime.fromisoformat(first) if first else None,
        )


def _rows(lake: Lake, name: str, entity: ErasedEntity, keys: Sequence[str]) -> pl.DataFrame:
    """The keys that stand beside the entity in a table, each once, first those first known."""
    table = lake.table(name)
    parts = [table.part(day) for day in table.days()]
    empty = pl.DataFrame(schema={**dict.fromkeys(keys, pl.Int64()), "known": pl.Int64()})
    if not parts or entity.column not in schema_of(lake, parts[0]):
        return empty
    theirs = lake.scan_parquet(parts).filter(entity.rows())
    found = theirs.group_by(*keys).agg(known_us().min().alias("known")).sort("known")
    return collect(lake, parts, found)


def _requests(lake: Lake, entity: ErasedEntity, use_case: str) -> list[str]:
    found: list[str] = []
    for key in parquet_keys(lake, f"{use_case}/{FEATURES}/"):
        if entity.column in schema_of(lake, key):
            ids = lake.scan_parquet([key]).filter(entity.rows()).select(FEATURES_REQUEST_ID)
            found += collect(lake, [key], ids).to_series().to_list()
    return found
