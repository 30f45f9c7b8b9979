"""Rows of a view as the HSET commands that write them, made column by column."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from feast import types as feast_types
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.types import FeastType

from lockstep.stores.errors import EntityKeyError
from lockstep.stores.feast_layout import feature_field, key_prefix
from lockstep.stores.online_rows import OnlineRow
from lockstep.stores.proto_values import proto_values
from lockstep.stores.redis_layout import (
    KeyType,
    created_field,
    event_field,
    key_encoder,
    rows_field,
)
from lockstep.stores.redis_wire import packed
from lockstep.stores.resp_columns import (
    Block,
    Ints,
    bulk,
    constant,
    fixed,
    joined,
    texts,
    varints,
)
from lockstep.stores.view_table import ViewTable
from lockstep.windows.microseconds import SECOND_US
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

_TAGS: dict[FeastType, bytes] = {
    feast_types.Bytes: b"\x0a",
    feast_types.String: b"\x12",
    feast_types.Int32: b"\x18",
    feast_types.Int64: b"\x20",
    feast_types.Float64: b"\x29",
    feast_types.Float32: b"\x35",
    feast_types.Bool: b"\x38",
}
_TEXTS = (feast_types.String, feast_types.Bytes)
_FLOATS: dict[FeastType, Any] = {feast_types.Float64: "<f8", feast_types.Float32: "<f4"}


@dataclass(frozen=True)
class HashWrites:
    """One HSET a row, and the row's key as a bulk string; the same key at most once.

    `starts` say where each row begins, and the last one ends. Versions are microseconds.
    """

    commands: bytes
    command_starts: Ints
    keys: bytes
    key_starts: Ints
    event_us: Ints
    created_us: Ints

    def __len__(self) -> int:
        return len(self.event_us)

    @classmethod
    def of_rows(cls, rows: Sequence[OnlineRow]) -> HashWrites:
        """The writes of rows that are encoded already."""
        commands = [packed("HSET", row.key, *chain(*row.fields.items())) for row in rows]
        keys = [b"$%d\r\n%b\r\n" % (len(row.key), row.key) for row in rows]
        versions = np.array([row.version for row in rows], np.int64).reshape(-1, 2)
        return cls(
            b"".join(commands), _starts(commands), b"".join(keys), _starts(keys), *versions.T
        )

    @classmethod
    def of_frame(
        cls,
        project: str,
        view: str,
        table: ViewTable,
        rows: pl.DataFrame,
        *,
        kept: Sequence[bytes] | None = None,
    ) -> HashWrites:
        """The writes of rows that `table` scans, one row a key; with `kept` a cell beside each.

        Raises:
            EntityKeyError: a key is null.
        """
        key = bulk(*_key(project, table, rows))
        event = _microseconds(rows.get_column(EVENT_TIMESTAMP))
        created = event
        if CREATED_TIMESTAMP in rows.columns:
            known = pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP)
            created = _microseconds(rows.select(known).to_series())
        cells = [(event_field(view), _time(event)), (created_field(view), _time(created))]
        for name, feast_type in table.features.items():
            cells.append((feature_field(view, name), _values(rows.get_column(name), feast_type)))
        if kept is not None:
            cells.append((rows_field(view), [texts(kept)]))
        head = b"*%d\r\n$4\r\nHSET\r\n" % (2 + 2 * len(cells))
        blocks = [constant(head, len(rows)), *key]
        for field, value in cells:
            blocks += [constant(b"$%d\r\n%b\r\n" % (len(field), field), len(rows)), *bulk(*value)]
        return cls(*joined(blocks), *joined(key), event, created)

    def some(self, first: int, end: int) -> HashWrites:
        """The rows from `first` up to `end`."""
        commands, keys = self.command_starts[first : end + 1], self.key_starts[first : end + 1]
        return HashWrites(
            self.commands[commands[0] : commands[-1]],
            commands - commands[0],
            self.keys[keys[0] : keys[-1]],
            keys - keys[0],
            self.event_us[first:end],
            self.created_us[first:end],
        )

    def key(self, row: int) -> bytes:
        """One row's key, as a bulk string."""
        return self.keys[self.key_starts[row] : self.key_starts[row + 1]]

    def command(self, row: int) -> bytes:
        """One row's HSET."""
        return self.commands[self.command_starts[row] : self.command_starts[row + 1]]


def _starts(parts: Sequence[bytes]) -> Ints:
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)


def _microseconds(column: pl.Series) -> Ints:
    return column.dt.epoch("us").to_numpy()


def _time(us: Ints) -> list[Block]:
    """Serialised Timestamps: a part that is zero is left out."""
    seconds, rest = np.divmod(us, SECOND_US)
    blocks = []
    for tag, part in ((b"\x08", seconds), (b"\x10", rest * 1000)):
        blocks += [constant(tag, len(us)).where(part != 0), varints(part).where(part != 0)]
    return blocks


def _values(column: pl.Series, feast_type: FeastType) -> list[Block]:
    """Serialised Values; a null is one with nothing in it."""
    if feast_type not in _TAGS:
        return [texts([v.SerializeToString() for v in proto_values(column, feast_type)])]
    blocks = [constant(_TAGS[feast_type], len(column)), *_contents(column, feast_type)]
    if not column.null_count():
        return blocks
    known = column.is_not_null().to_numpy()
    return [block.where(known) for block in blocks]


def _contents(column: pl.Series, feast_type: FeastType) -> list[Block]:
    if feast_type in _TEXTS:
        text = _text(column)
        return [varints(text.sizes), text]
    if feast_type in _FLOATS:
        return [fixed(column.fill_null(0).to_numpy().astype(_FLOATS[feast_type]))]
    return [varints(column.cast(pl.Int64).fill_null(0).to_numpy())]


def _text(column: pl.Series) -> Block:
    return texts(column.cast(pl.Binary).fill_null(b"").to_list())


def _key(project: str, table: ViewTable, rows: pl.DataFrame) -> list[Block]:
    if not table.keys:
        dummy = key_encoder(KeyType.STRING)(DUMMY_ENTITY_VAL)
        return [constant(key_prefix([DUMMY_ENTITY_ID]) + dummy + project.encode(), len(rows))]
    blocks = [constant(key_prefix(list(table.keys)), len(rows))]
    for name in sorted(table.keys):
        blocks += _key_part(rows.get_column(name), table.keys[name])
    return [*blocks, constant(project.encode(), len(rows))]


def _key_part(column: pl.Series, feast_type: FeastType) -> list[Block]:
    if column.null_count():
        raise EntityKeyError.nulls(column.name, column.null_count())
    number = feast_type.to_value_type().value
    if feast_type in _TEXTS:
        text = _text(column)
        return [
            constant(struct.pack("<I", number), len(column)),
            fixed(text.sizes.astype("<u4")),
            text,
        ]
    if feast_type == feast_types.UnixTimestamp:
        column = column.dt.epoch("s")
    content = fixed(column.to_numpy().astype("<i4" if feast_type == feast_types.Int32 else "<i8"))
    return [constant(struct.pack("<2I", number, content.content.shape[1]), len(column)), content]
