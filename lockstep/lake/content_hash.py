"""What a frame holds, as one hash: the same for every engine, lake and file format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np
import polars as pl


class ContentHash:
    """SHA-256 over columns in order: names, types, which values are null, and values.

    The order of the rows counts. How they are cut into frames and chunks does not, nor what
    lies under a null.
    """

    def __init__(self, schema: pl.Schema) -> None:
        self._columns = [_ColumnHash(name, kind) for name, kind in schema.items()]

    def update(self, rows: pl.DataFrame) -> None:
        """Takes in the rows that come next; they have the schema's columns."""
        for column, digest in zip(rows.iter_columns(), self._columns, strict=True):
            digest.update(column)

    def hexdigest(self) -> str:
        """The hash of all rows so far, as text."""
        whole = hashlib.sha256()
        for column in self._columns:
            whole.update(column.line().encode())
        return whole.hexdigest()


def content_hash(rows: pl.DataFrame) -> str:
    """The hash of one frame.

    >>> one, other = pl.DataFrame({"a": [1, None]}), pl.DataFrame({"a": [1, 0]})
    >>> content_hash(one) == content_hash(other)
    False
    >>> content_hash(one) == content_hash(pl.concat([one[:1], one[1:]]))
    True
    """
    whole = ContentHash(rows.schema)
    whole.update(rows)
    return whole.hexdigest()


class _ColumnHash:
    """One column: its nulls, and its values in one or two streams of bytes."""

    def __init__(self, name: str, kind: pl.DataType) -> None:
        self._name, self._kind, self._rows = name, kind, 0
        self._digests = [hashlib.sha256() for _ in range(3)]

    def update(self, column: pl.Series) -> None:
        self._rows += len(column)
        for digest, values in zip(self._digests, _streams(column), strict=False):
            digest.update(values)

    def line(self) -> str:
        digests = " ".join(digest.hexdigest() for digest in self._digests)
        return f"{self._name} {self._kind} {self._rows} {digests}\n"


def _streams(column: pl.Series) -> Iterator[bytes | memoryview]:
    """Nulls, a byte a row; fixed widths as they lie in memory; of other types lengths and text.

    Polars runs most methods of a series as a query, some 80 us each. Columns without nulls do
    without: 18,371 bars into six views, 18,390 small partitions, take 78 s instead of 220.
    """
    kind = column.dtype
    if column.null_count() == 0 and (kind.is_integer() or kind.is_float() or kind == pl.Datetime):
        yield bytes(len(column))
        yield np.ascontiguousarray(column.to_numpy()).view(np.uint8).data
        return
    yield column.is_null().cast(pl.UInt8).rechunk().to_numpy().data
    if column.dtype.is_numeric() or column.dtype.is_temporal():
        plain = column.to_physical().fill_null(0).rechunk()
        yield np.ascontiguousarray(plain.to_numpy()).data.cast("B")
        return
    text = _text(column).fill_null("")
    yield np.ascontiguousarray(text.str.len_bytes().to_numpy()).data.cast("B")
    yield "".join(text.str.join("")).encode()


def _text(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Binary:
        return column.bin.encode("hex")
    if column.dtype.is_nested():
        return pl.Series([json.dumps(cell, default=str) for cell in column], dtype=pl.String)
    return column.cast(pl.String)
