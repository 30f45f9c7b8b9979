"""What a frame holds, as one hash: the same for every engine, lake and file format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import polars as pl


def content_hash(rows: pl.DataFrame) -> str:
    """SHA-256 over the columns in order: names, types, which values are null, and values.

    The order of the rows counts. How the frame is cut into chunks does not, nor what lies
    under a null.

    >>> one, other = pl.DataFrame({"a": [1, None]}), pl.DataFrame({"a": [1, 0]})
    >>> content_hash(one) == content_hash(other)
    False
    >>> content_hash(one) == content_hash(pl.concat([one[:1], one[1:]]))
    True
    """
    digest = hashlib.sha256()
    for column in rows.iter_columns():
        digest.update(f"{column.name} {column.dtype} {len(column)}\n".encode())
        digest.update(np.packbits(column.is_null().to_numpy()).data)
        for values in _values(column):
            digest.update(values)
    return digest.hexdigest()


def _values(column: pl.Series) -> Iterator[bytes | memoryview]:
    """Fixed widths as they lie in memory; of anything else, its text's lengths, then the text."""
    if column.dtype.is_numeric() or column.dtype.is_temporal():
        plain = column.to_physical().fill_null(0).rechunk()
        yield np.ascontiguousarray(plain.to_numpy()).data.cast("B")
        return
    text = column.cast(pl.String).fill_null("")
    yield np.ascontiguousarray(text.str.len_bytes().to_numpy()).data.cast("B")
    yield "".join(text.str.join("")).encode()
