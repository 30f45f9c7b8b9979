"""What is written into the offline store: logged features, and rows that were pushed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lockstep.lake.content_hash import content_hash
from lockstep.stores.errors import SourceError
from lockstep.stores.lake_errors import lake_errors
from lockstep.stores.source_table import SourceTable


def append_logs(
    target: SourceTable, logs: pa.Table | Path, schema: pa.Schema, *, partition_by: Sequence[str]
) -> None:
    """Adds logs to a folder: a file more, or one in each `<column>=<value>` folder.

    Files are named after their content, so that logs which are sent twice stand there once.
    Partition columns stay in the files too.

    Raises:
        SourceError: the logs lack a column of `schema`, or one is of another type.
    """
    table = ds.dataset(logs, format="parquet").to_table() if isinstance(logs, Path) else logs
    rows = _of_schema(table, schema, target.address)
    for folder, part in _partitions(rows, partition_by):
        name = content_hash(pl.DataFrame(part))[:32]
        with lake_errors():
            target.lake.write_parquet_batches(f"{target.name}/{folder}{name}.parquet", [part])


def append_rows(target: SourceTable, rows: pa.Table) -> None:
    """Adds rows to the file, or a file to the folder; readers see all of them or none.

    Raises:
        SourceError: they have other columns than the table, or the table is one that
            `lockstep build` or `lockstep ingest` writes.
    """
    if target.has_days():
        raise SourceError.built_elsewhere(target.address)
    with lake_errors():
        first = pq.read_table(io.BytesIO(target.lake.read_bytes(target.files[0])))
        added = _of_schema(rows, first.schema, target.address)
        if target.files == [target.name]:
            target.lake.write_parquet_batches(target.name, [first, added])
            return
        # Behind all others by name: of two rows with the same times the later one counts.
        name = f"{target.name}/pushed-{len(target.files):08d}.parquet"
        target.lake.write_parquet_batches(name, [added])


def _of_schema(rows: pa.Table, schema: pa.Schema, address: str) -> pa.Table:
    if missing := set(schema.names) - set(rows.column_names):
        raise SourceError.missing_columns(address, missing, rows.column_names)
    try:
        return rows.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SourceError.other_rows(address, error) from error


def _partitions(rows: pa.Table, columns: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
    if not columns:
        yield "", rows
        return
    numbers = pl.DataFrame(rows.select(list(columns))).with_row_index("__row")
    for values, part in numbers.group_by(columns, maintain_order=True):
        named = zip(columns, values, strict=True)
        folder = "".join(f"{column}={value}/" for column, value in named)
        yield folder, rows.take(part.get_column("__row").to_arrow())
