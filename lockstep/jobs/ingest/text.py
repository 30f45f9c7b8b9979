"""How text files become columns of strings: CSV with a header, or header-less exports.

Lines that start with `#` are comments. Values are not interpreted here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from lockstep.jobs.ingest.errors import IngestError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMMENT = re.compile(rb"^#[^\n]*\n?", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*")


def read_text(path: Path, *, known: Sequence[str], headerless: Sequence[str]) -> pl.DataFrame:
    """The rows as strings, in order; columns as the header, else `headerless`, names them.

    The first line is a header when it has a `known` name or holds nothing but names.
    An empty value is an empty string.

    Raises:
        IngestError: not text, no rows, or a line with another number of fields.
    """
    raw = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    _decoded(path, raw)
    data = _COMMENT.sub(b"", raw).lstrip(b"\r\n")
    first, _, rest = data.partition(b"\n")
    fields = _split(path, first)
    if not _is_header(fields, known):
        return _parse(path, data, headerless)
    if len(set(fields)) < len(fields):
        raise IngestError.repeated_columns(path, {f for f in fields if fields.count(f) > 1})
    return _parse(path, rest, fields)


def _split(path: Path, line: bytes) -> list[str]:
    try:
        return [f.strip().lower() for f in next(csv.reader([_decoded(path, line)]), [])]
    except csv.Error as error:
        raise IngestError.malformed(path, "UTF-8 text", error) from error


def _decoded(path: Path, data: bytes) -> str:
    """The text; asked of a whole file, because pyarrow prints errors of its own on the way."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise IngestError.malformed(path, "UTF-8 text", error) from error


def _is_header(fields: Sequence[str], known: Sequence[str]) -> bool:
    names = [bool(_NAME.fullmatch(field)) for field in fields]
    return any(field in known for field in fields) or (bool(names) and all(names))


def _parse(path: Path, data: bytes, names: Sequence[str]) -> pl.DataFrame:
    lines = sum(1 for line in io.BytesIO(data) if line.strip())
    if lines == 0:
        raise IngestError.empty(path)
    ragged: list[arrow_csv.InvalidRow] = []
    rows = _parse_strings(path, data, names, ragged)
    if ragged:
        raise IngestError.fields(
            path,
            rows=len(ragged),
            first=ragged[0].text,
            got=ragged[0].actual_columns,
            expected=len(names),
        )
    if len(rows) != lines:
        cause = f"{lines:,} lines hold {len(rows):,} rows; is a quote left open?"
        raise IngestError.malformed(path, "comma-separated text", cause)
    return rows


def _parse_strings(
    path: Path, data: bytes, names: Sequence[str], ragged: list[arrow_csv.InvalidRow]
) -> pl.DataFrame:
    """The well-formed rows; the others are appended to `ragged`."""

    def skip(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            # One thread, so that the first ragged row is the first in the file.
            read_options=arrow_csv.ReadOptions(column_names=list(names), use_threads=False),
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=skip),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise IngestError.malformed(path, "comma-separated UTF-8 text", error) from error
    # Column by column: from a table as a whole, a nameless column would get a name.
    return pl.DataFrame({name: table[name] for name in table.column_names})
