"""Entity frames: what a caller wants features for, as pandas, Arrow, Polars or parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
import polars as pl
import pyarrow as pa
from feast.types import FeastType
from polars.exceptions import PolarsError

from lockstep.lake.lake import Lake
from lockstep.stores.asof import KNOWN_AS_OF
from lockstep.stores.column_types import as_utc, converted, declared_type
from lockstep.stores.errors import EntityFrameError
from lockstep.stores.source_table import SourceTable
from lockstep.windows.spec import EVENT_TIMESTAMP


def entity_frame(rows: object, *, lake: Lake) -> pl.DataFrame:
    """The rows as Polars, event_timestamp and known_as_of (where given) in UTC microseconds.

    A naive time is UTC. Text is the path or URI of parquet, a file or a folder; a relative
    one is under `lake`.

    Raises:
        EntityFrameError: not a table, no event_timestamp, or not a time.
        SourceError: the parquet cannot be read.
    """
    frame = _as_polars(rows, lake)
    if EVENT_TIMESTAMP not in frame.columns:
        raise EntityFrameError.missing_columns([EVENT_TIMESTAMP], frame.columns)
    return frame.with_columns(
        _time(name, frame.schema[name])
        for name in (EVENT_TIMESTAMP, KNOWN_AS_OF)
        if name in frame.columns
    )


def key_columns(
    entities: pl.DataFrame, columns: Mapping[str, str], types: Mapping[str, FeastType]
) -> pl.DataFrame:
    """The key columns under the view's names and in its types.

    `columns` maps each join key of the view to the column of the entities that holds it.

    Raises:
        EntityFrameError: a column is absent, or holds what cannot be such a key.
    """
    missing = set(columns.values()) - set(entities.columns)
    if missing:
        raise EntityFrameError.missing_columns(missing, entities.columns)
    typed = [_key(entities, column, types[key]).alias(key) for key, column in columns.items()]
    return pl.DataFrame(typed)


def request_columns(entities: pl.DataFrame, types: Mapping[str, FeastType]) -> None:
    """Returns if the frame has the request's columns, of types that can be what is declared.

    Raises:
        EntityFrameError: one is absent, or is of another kind.
    """
    missing = set(types) - set(entities.columns)
    if missing:
        raise EntityFrameError.no_request_data(missing, entities.columns)
    for name, feast_type in types.items():
        got = entities.schema[name]
        if converted(name, got, declared_type(feast_type)) is None:
            raise EntityFrameError.wrong_type(name, got, feast_type)


def _key(entities: pl.DataFrame, column: str, feast_type: FeastType) -> pl.Series:
    got = entities.schema[column]
    expression = converted(column, got, declared_type(feast_type))
    if expression is None:
        raise EntityFrameError.wrong_type(column, got, feast_type)
    try:
        return entities.select(expression).to_series()
    except PolarsError as error:
        raise EntityFrameError.wrong_type(column, got, f"{feast_type} ({error})") from error


def _as_polars(rows: object, lake: Lake) -> pl.DataFrame:
    if isinstance(rows, pl.DataFrame):
        return rows
    if isinstance(rows, str):
        return _read(SourceTable.at(rows, lake))
    if isinstance(rows, pd.DataFrame):
        names: Sequence[str] = list(rows.columns)
    elif isinstance(rows, pa.Table):
        names = rows.column_names
    else:
        raise EntityFrameError.wrong_kind(rows)
    duplicates = [name for name, count in Counter(names).items() if count > 1]
    if duplicates:
        raise EntityFrameError.duplicate_columns(duplicates)
    return _converted(rows)


def _read(table: SourceTable) -> pl.DataFrame:
    if not table.exists():
        raise EntityFrameError.no_parquet(table.address)
    return table.collect(table.scan())


def _converted(rows: pd.DataFrame | pa.Table) -> pl.DataFrame:
    try:
        frame = pl.from_pandas(rows) if isinstance(rows, pd.DataFrame) else pl.from_arrow(rows)
    except (pa.ArrowException, PolarsError) as error:
        raise EntityFrameError.unreadable(error) from error
    if isinstance(frame, pl.Series):
        raise EntityFrameError.wrong_kind(rows)
    return frame


def _time(name: str, got: pl.DataType) -> pl.Expr:
    expression = as_utc(name, got)
    if expression is None:
        raise EntityFrameError.wrong_type(name, got, "a time")
    return expression
