"""The rows of a feature view, under the names and types that the view declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl
from feast import FeatureView
from feast.feature_view import DUMMY_ENTITY_ID
from feast.types import FeastType

from lockstep.lake.lake import Lake
from lockstep.stores.column_types import as_utc, converted, declared_type
from lockstep.stores.errors import SourceError
from lockstep.stores.source_table import SourceTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP


@dataclass(frozen=True)
class ViewTable:
    """A feature view over its table; `lake` is what relative paths are relative to."""

    view: FeatureView
    lake: Lake

    @cached_property
    def table(self) -> SourceTable:
        """The parquet behind the view."""
        return SourceTable.of(self.view.batch_source, self.lake)

    @property
    def keys(self) -> dict[str, FeastType]:
        """The join keys and their types; none for a view without entities."""
        columns = self.view.entity_columns
        return {c.name: c.dtype for c in columns if c.name != DUMMY_ENTITY_ID}

    def key_types(self) -> dict[str, pl.DataType]:
        """The join keys and the types of their columns, as they are joined."""
        found = {name: declared_type(kind) for name, kind in self.keys.items()}
        return {name: kind for name, kind in found.items() if kind is not None}

    @property
    def features(self) -> dict[str, FeastType]:
        """The features and their types, in the view's order."""
        return {field.name: field.dtype for field in self.view.features}

    @property
    def has_created(self) -> bool:
        """Whether rows have a created time beside that of their event."""
        return CREATED_TIMESTAMP in self._times

    def scan(
        self,
        features: Sequence[str],
        *,
        files: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """The join keys, event_timestamp, created_timestamp where there is one, `features`.

        Of all files, unless some are named by their keys.

        Raises:
            SourceError: there are no files, or columns are absent or of another kind.
        """
        return self.table.scan(files).select(self.columns(features))

    def columns(self, features: Sequence[str]) -> list[pl.Expr]:
        """What `scan` makes of the file's columns.

        Raises:
            SourceError: there are no files, or columns are absent or of another kind.
        """
        schema = self.table.schema
        self._check_names(features, schema)
        types = {**self.keys, **self.features}
        columns = [self._typed(name, types[name], schema) for name in (*self.keys, *features)]
        return columns + [self._time(name, at, schema) for name, at in self._times.items()]

    def physical(self, features: Sequence[str]) -> dict[str, str]:
        """The column in the file of each column that `scan` gives."""
        same = {name: self._physical(name) for name in (*self.keys, *features)}
        return same | {name: self._physical(at) for name, at in self._times.items()}

    @property
    def _times(self) -> dict[str, str]:
        source = self.view.batch_source
        times = {EVENT_TIMESTAMP: source.timestamp_field}
        if source.created_timestamp_column:
            times[CREATED_TIMESTAMP] = source.created_timestamp_column
        return times

    def _physical(self, name: str) -> str:
        """The column in the file; a field mapping goes from there to the view's name."""
        mapping = self.view.batch_source.field_mapping or {}
        return str({mapped: column for column, mapped in mapping.items()}.get(name, name))

    def _check_names(self, features: Sequence[str], schema: pl.Schema) -> None:
        wanted = (*self.keys, *features, *self._times.values())
        missing = {self._physical(name) for name in wanted} - set(schema)
        if missing:
            raise SourceError.missing_columns(self.table.address, missing, schema)

    def _typed(self, name: str, feast_type: FeastType, schema: pl.Schema) -> pl.Expr:
        column = self._physical(name)
        expression = converted(column, schema[column], declared_type(feast_type))
        if expression is None:
            raise SourceError.wrong_type(self.table.address, column, schema[column], feast_type)
        return expression.alias(name)

    def _time(self, name: str, at: str, schema: pl.Schema) -> pl.Expr:
        column = self._physical(at)
        expression = as_utc(column, schema[column])
        if expression is None:
            raise SourceError.wrong_type(self.table.address, column, schema[column], "a time")
        return expression.alias(name)
