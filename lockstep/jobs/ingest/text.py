"""How text files become columns of strings: CSV with a header, or header-less exports.

Lines that start with `#` are comments, and no value holds a line break, so that a file can
be cut at any line. Values are not interpreted here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.stretch import Stretch

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMMENT = re.compile(rb"^#[^\n]*\n?", re.MULTILINE)
_NOT_DATA = re.compile(rb"(?:#[^\n]*\n|\r?\n)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*")


def survey_text(
    path: str, chunks: Iterable[bytes], *, known: Sequence[str], headerless: Sequence[str]
) -> tuple[tuple[str, ...], list[Stretch]]:
    """The columns of a text file, and its lines in stretches of about a chunk.

    The first line is a header when it has a `known` name or holds nothing but names; it is
    in no stretch then. Without one the columns are `headerless`.

    Raises:
        IngestError: not UTF-8 text, or a header that repeats a name.
    """
    names: Sequence[str] | None = None
    stretches = []
    for start, data in _whole_lines(chunks):
        text = data.removeprefix(_BYTE_ORDER_MARK) if start == 0 else data
        _decoded(path, text)
        if names is None:
            header, text = _split_header(path, text, known)
            names = header or (headerless if text else None)
        rows = sum(1 for line in io.BytesIO(_COMMENT.sub(b"", text)) if line.strip())
        stretches.append(Stretch(start + len(data) - len(text), start + len(data), rows))
    return tuple(names or headerless), [stretch for stretch in stretches if stretch.rows]


def parse_text(path: str, data: bytes, names: Sequence[str]) -> pl.DataFrame:
    """The rows of some whole lines as strings, in order; an empty value is an empty string.

    Raises:
        IngestError: a line with another number of fields than `names`, or an open quote.
    """
    data = _COMMENT.sub(b"", data)
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
    lines = sum(1 for line in io.BytesIO(data) if line.strip())
    if len(rows) != lines:
        cause = f"{lines:,} lines hold {len(rows):,} rows; is a quote left open?"
        raise IngestError.malformed(path, "comma-separated text", cause)
    return rows


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Each chunk up to its last line break, with what the one before left over, and its place."""
    start, rest = 0, b""
    for chunk in chunks:
        data = rest + chunk
        cut = data.rfind(b"\n") + 1
        if cut:
            yield start, data[:cut]
        start, rest = start + cut, data[cut:]
    if rest:
        yield start, rest


def _split_header(
    path: str, text: bytes, known: Sequence[str]
) -> tuple[tuple[str, ...] | None, bytes]:
    """The header, if the first line of data is one, and what comes after it."""
    found = _NOT_DATA.match(text)
    text = text[found.end() :] if found else text
    first, _, rest = text.partition(b"\n")
    fields = _fields(path, first)
    if not _is_header(fields, known):
        return None, text
    if len(set(fields)) < len(fields):
        raise IngestError.repeated_columns(path, {f for f in fields if fields.count(f) > 1})
    return tuple(fields), rest


def _fields(path: str, line: bytes) -> list[str]:
    try:
        return [f.strip().lower() for f in next(csv.reader([_decoded(path, line)]), [])]
    except csv.Error as error:
        raise IngestError.malformed(path, "UTF-8 text", error) from error


def _decoded(path: str, data: bytes) -> str:
    """The text; asked of a whole file, because pyarrow prints errors of its own on the way."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise IngestError.malformed(path, "UTF-8 text", error) from error


def _is_header(fields: Sequence[str], known: Sequence[str]) -> bool:
    names = [bool(_NAME.fullmatch(field)) for field in fields]
    return any(field in known for field in fields) or (bool(names) and all(names))


def _parse_strings(
    path: str, data: bytes, names: Sequence[str], ragged: list[arrow_csv.InvalidRow]
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
