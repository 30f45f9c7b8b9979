"""Columns as they go over the wire to Redis: many rows of bytes made at once with numpy.

A block has a row of bytes for each row of the table, as wide as the widest, and says which
bytes are used; blocks stand side by side until `joined` squeezes the unused bytes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_INT64_BYTES = 10
_SEVEN_BITS = np.arange(0, 7 * _INT64_BYTES, 7, dtype=np.uint64)


@dataclass(frozen=True)
class Block:
    """(rows, width) bytes, those that are used, and how many they are in each row."""

    content: Bytes
    used: Bools
    sizes: Ints

    def where(self, wanted: Bools) -> Block:
        """The same with nothing in the rows that are not wanted."""
        return Block(self.content, self.used & wanted[:, None], self.sizes * wanted)


def constant(content: bytes, rows: int) -> Block:
    """The same bytes in each row."""
    shape = (rows, len(content))
    row = np.frombuffer(content, np.uint8)
    used = np.broadcast_to(np.True_, shape)
    return Block(np.broadcast_to(row, shape), used, np.full(rows, len(content), np.int64))


def fixed(column: NDArray[np.generic]) -> Block:
    """Numbers as the little-endian bytes that they are in memory."""
    width = column.dtype.itemsize
    content = np.ascontiguousarray(column).view(np.uint8).reshape(len(column), width)
    used = np.broadcast_to(np.True_, content.shape)
    return Block(content, used, np.full(len(column), width, np.int64))


def texts(column: Sequence[bytes]) -> Block:
    """Bytes of any length."""
    sizes = np.fromiter(map(len, column), np.int64, len(column))
    width = int(sizes.max(initial=0))
    padded = b"".join([cell.ljust(width, b"\0") for cell in column])
    content = np.frombuffer(padded, np.uint8).reshape(len(column), width)
    return Block(content, np.arange(width) < sizes[:, None], sizes)


def varints(column: Ints) -> Block:
    """Protobuf's integers: seven bits to a byte, the lowest first; a negative one has ten bytes.

    >>> joined([varints(np.array([150, 1]))])[0]
    b'\\x96\\x01\\x01'
    """
    bits = column.view(np.uint64)[:, None] >> _SEVEN_BITS
    sizes = np.maximum(1, (bits != 0).sum(axis=1))
    width = int(sizes.max(initial=1))
    more = np.arange(1, width + 1) < sizes[:, None]
    content = (bits[:, :width] & 0x7F).astype(np.uint8) | (more.astype(np.uint8) << 7)
    return Block(content, np.arange(width) < sizes[:, None], sizes)


def decimals(column: Ints) -> Block:
    """Integers, not negative, as text.

    >>> joined([decimals(np.array([7, 0, 120]))])[0]
    b'70120'
    """
    width = len(str(int(column.max(initial=0))))
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    content = (column[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    used = column[:, None] >= powers
    used[:, -1] = True
    return Block(content, used, used.sum(axis=1))


def bulk(*blocks: Block) -> list[Block]:
    """The blocks together as one of Redis's bulk strings: `$<size>`, line end, bytes, line end."""
    sizes = np.sum([block.sizes for block in blocks], axis=0)
    rows = len(sizes)
    return [constant(b"$", rows), decimals(sizes), constant(b"\r\n", rows), *blocks] + [
        constant(b"\r\n", rows)
    ]


def joined(blocks: Sequence[Block]) -> tuple[bytes, Ints]:
    """The rows' bytes one after another, and where each row begins, and the last ends.

    >>> joined([constant(b"a", 2), decimals(np.array([7, 12]))])
    (b'a7a12', array([0, 2, 5]))
    """
    content = np.concatenate([block.content for block in blocks], axis=1)
    used = np.concatenate([block.used for block in blocks], axis=1)
    sizes = np.sum([block.sizes for block in blocks], axis=0)
    return content[used].tobytes(), np.concatenate([[0], np.cumsum(sizes)])
