"""One materialisation of one view: which rows it must read, and how it goes on after a break."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import polars as pl
from feast import FeatureView

from lockstep.stores.coverage import Coverage
from lockstep.stores.ledger import LedgerRow
from lockstep.stores.newest_rows import Chosen
from lockstep.stores.view_table import ViewTable
from lockstep.stores.view_tags import is_step_function, kept_rows
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP


@dataclass(frozen=True)
class Materialization:
    """What is to be read of a view's table so that every key gets its newest row.

    `past` is the last materialisation, if the online store still holds what it wrote and
    START is not before its end: an earlier START asks to write that again. With it only
    those rows are read that it cannot have seen: rows of files that are new or replaced,
    however old, so that late ones are not missed, and rows that became known after its end.
    """

    table: ViewTable
    covered: Coverage
    excludes_created_after: bool
    past: LedgerRow | None

    @classmethod
    def of(
        cls,
        table: ViewTable,
        covered: Coverage,
        *,
        excludes_created_after: bool,
        past: LedgerRow | None,
    ) -> Materialization:
        """The plan; `past` is what the store vouches for, whether it helps or not."""
        helps = (
            past is not None
            and past.definition == layout_of(table.view)
            and covered.start >= past.covered_end
        )
        return cls(table, covered, excludes_created_after, past if helps else None)

    @cached_property
    def fingerprint(self) -> str:
        """The same for a run over the same rows: one that broke off is gone on with."""
        told = {
            "definition": layout_of(self.table.view),
            "start": str(self.covered.start),
            "end": str(self.covered.end),
            "files": self.files,
            "past": None if self.past is None else self.past.key,
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def files(self) -> Mapping[str, str]:
        """The table's files and their versions."""
        return self.table.table.versions

    def reads(self) -> list[tuple[list[str] | None, Chosen]]:
        """Files, None for all, and which of their rows: one after the other is to be written."""
        end = self.covered.end
        knows_less = self.table.has_created and self.excludes_created_after
        until_end = Chosen(end, known_by=end if knows_less else None)
        if self.past is None:
            start = pl.col(EVENT_TIMESTAMP) >= self.covered.start
            since = None if is_step_function(self.table.view) else start
            return [(None, replace(until_end, since=since))]
        known = self.past.files
        replaced = [file for file, version in self.files.items() if known.get(file) != version]
        same = [file for file in self.files if file not in set(replaced)]
        news = replace(until_end, since=self._since(self.past.covered_end))
        return [(same, news), (replaced, until_end)]

    def _since(self, end: datetime) -> pl.Expr:
        news = pl.col(EVENT_TIMESTAMP) > end
        return news | (pl.col(CREATED_TIMESTAMP) > end) if self.table.has_created else news


def layout_of(view: FeatureView) -> str:
    """A hash of what is written of a row: its windows too, and which rows are kept beside it."""
    kept, windows = kept_rows(view), (view.tags or {}).get("window_spec")
    told = [definition_of(view), windows, kept.tag if kept else None]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def definition_of(view: FeatureView) -> str:
    """A hash of what a stored row means: columns, types, keys and source of the view."""
    source = view.batch_source
    told = {
        "features": [(field.name, str(field.dtype)) for field in view.features],
        "keys": [(field.name, str(field.dtype)) for field in view.entity_columns],
        "source": [source.path, source.timestamp_field, source.created_timestamp_column],
        "mapping": sorted((source.field_mapping or {}).items()),
        "step_function": is_step_function(view),
    }
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
