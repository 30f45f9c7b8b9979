"""The same bytes as `value_bytes` reads, whole columns at a time.

A cell is a tag byte and eight bytes behind it: an integer below 2**56 or a double. Times
are seconds of five bytes (years 1978 to 3058) and nanoseconds. What is longer or otherwise
encoded is left to `value_bytes`, cell by cell, so both give the same values.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from feast import types as feast_types
from feast.types import FeastType
from numpy.typing import NDArray

from lockstep.stores.value_bytes import SECOND_US, decode_time, python_value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Positions = Sequence[int]

NEVER = -(2**63)
_DOUBLE, _DOUBLE_TAG = struct.Struct("<Bd"), 0x29
_WIDTH = 16
_WORD = np.dtype("<u8")
_PADDING = bytes(_WIDTH)
_MORE = np.uint64(0x8080_8080_8080_8080)
_ONE_BYTE, _SEVEN_BYTES, _TAG = np.uint64(8), np.uint64(56), np.uint64(0xFF)
_SECOND, _THOUSAND = np.uint64(SECOND_US), np.uint64(1000)
# So many of a word's bytes.
_BYTES = np.array([(1 << 8 * min(size, 8)) - 1 for size in range(_WIDTH + 1)], np.uint64)
_IMPOSSIBLE = 1  # no word under a mask of high bits, or of no bits, is that


@dataclass(frozen=True)
class NumberKind:
    """How a type lies in a cell: under `mask` its word is what `ends` has for its size."""

    tag: int
    mask: np.uint64
    ends: Words
    convert: Callable[[Words], Floats]

    @property
    def is_varint(self) -> bool:
        """Whether `convert` takes what the bytes say as a varint."""
        return self.convert is _floats


@dataclass(frozen=True)
class Cells:
    """Answers to HMGET side by side: (rows, fields). A size of -1 was never written."""

    content: Sequence[bytes]
    sizes: Ints
    clipped: Ints
    low: Words
    high: Words

    @classmethod
    def of(cls, answers: Sequence[Sequence[bytes | None]], rows: int) -> Cells:
        """The cells of at least one row; each row has the next few answers."""
        flat: list[Any] = list(chain.from_iterable(answers))
        try:
            sizes = held = np.fromiter(map(len, flat), np.int64, len(flat))
        except TypeError:
            sizes = np.array([-1 if cell is None else len(cell) for cell in flat], np.int64)
            flat = [cell or b"" for cell in flat]
            held = np.maximum(sizes, 0)
        starts = held.cumsum() - held
        content = b"".join((*flat, _PADDING))
        # A word at every byte: where a cell begins, and eight bytes on.
        words: Words = np.ndarray(len(content) - 7, _WORD, content, strides=(1,))
        clipped = np.minimum(held, _WIDTH)
        low = words[starts] & _BYTES[clipped]
        high = words[starts + 8] & _BYTES[np.maximum(clipped - 8, 0)]
        shape = (rows, -1)
        return cls(
            flat,
            sizes.reshape(shape),
            clipped.reshape(shape),
            low.reshape(shape),
            high.reshape(shape),
        )

    def row(self, row: int) -> list[bytes | None]:
        """One row's cells as they came."""
        sizes = self.sizes[row]
        cells = self.content[row * len(sizes) : (row + 1) * len(sizes)]
        return [None if size < 0 else cell for cell, size in zip(cells, sizes, strict=True)]

    @cached_property
    def word(self) -> Words:
        """The eight bytes behind each tag."""
        return (self.low >> _ONE_BYTE) | (self.high << _SEVEN_BYTES)

    @cached_property
    def whole(self) -> Words:
        """What they say as a varint."""
        return _merged(self.word)

    def times(self, columns: Positions) -> Ints:
        """Microseconds; NEVER where there is none."""
        sizes, clipped = self.sizes[:, columns], self.clipped[:, columns]
        low, high = self.low[:, columns], self.high[:, columns]
        rest = (low >> _SEVEN_BYTES) | (high << _ONE_BYTE)
        nanos = _merged(rest & _FIVE_BYTES)
        plain: Bools = (low & _TIME_MASK) == _TIMES[clipped]
        plain &= ((rest & _MORE) == _NANO_ENDS[clipped]) & (nanos < 10**9)
        seconds = _merged((low >> _ONE_BYTE) & _FIVE_BYTES)
        us = (seconds * _SECOND + nanos // _THOUSAND).astype(np.int64)
        absent = sizes < 0
        us[absent] = NEVER
        self._patch(us, plain | absent, columns, decode_time)
        return us

    def integers(self, columns: Positions) -> Ints:
        """Values of 64-bit integers; NEVER where there is none, or a null."""
        integers = self.whole[:, columns].astype(np.int64)
        absent = self.clipped[:, columns] == 0
        integers[absent] = NEVER
        plain = self._plain(columns, NUMBER_KINDS[feast_types.Int64])
        self._patch(integers, plain | absent, columns, _integer)
        return integers

    def numbers(self, columns: Positions, kind: NumberKind) -> Floats:
        """Values as floats; NaN where there is none, or a null."""
        words = self.whole if kind.is_varint else self.word
        numbers = kind.convert(words[:, columns])
        absent = self.clipped[:, columns] == 0
        numbers[absent] = np.nan
        self._patch(numbers, self._plain(columns, kind) | absent, columns, number)
        return numbers

    def _plain(self, columns: Positions, kind: NumberKind) -> Bools:
        """Whether there is exactly one whole value of the kind."""
        tagged: Bools = (self.low[:, columns] & _TAG) == kind.tag
        is_whole: Bools = (self.word[:, columns] & kind.mask) == kind.ends[self.clipped[:, columns]]
        return tagged & is_whole

    def _patch(
        self, values: Any, plain: Bools, columns: Positions, read: Callable[[bytes], Any]
    ) -> None:
        """Reads what is not plain cell by cell."""
        if plain.all():
            return
        width = self.sizes.shape[1]
        for row, position in np.argwhere(~plain):
            values[row, position] = read(self.content[row * width + columns[position]])


def _integer(data: bytes) -> int:
    value = python_value(data)
    return NEVER if value is None else int(value)


def number(data: bytes) -> float:
    """What a serialised Value holds, as a float; NaN for a null.

    >>> number(bytes([0x20, 0x96, 0x01]))
    150.0
    """
    if len(data) == _DOUBLE.size and data[0] == _DOUBLE_TAG:
        value: float = _DOUBLE.unpack(data)[1]  # what most cells are, without three calls
        return value
    value = python_value(data)
    return float("nan") if value is None else float(value)


def _merged(word: Words) -> Words:
    """The lower seven bits of each byte, side by side: what a varint says."""
    for low, high, shift in _PAIRS:
        word = (word & low) | ((word & high) >> shift)
    return word


_PAIRS = [
    (np.uint64(low), np.uint64(high), np.uint64(shift))
    for low, high, shift in (
        (0x007F_007F_007F_007F, 0x7F00_7F00_7F00_7F00, 1),
        (0x0000_3FFF_0000_3FFF, 0x3FFF_0000_3FFF_0000, 2),
        (0x0000_0000_0FFF_FFFF, 0x0FFF_FFFF_0000_0000, 4),
    )
]


def _by_size(words: dict[int, int]) -> Words:
    return np.array([words.get(size, _IMPOSSIBLE) for size in range(_WIDTH + 1)], np.uint64)


def _varint_ends(sizes: range, *, head: int = 1) -> Words:
    """For a size in all: every byte but the last says that more follow."""
    return _by_size({size: int(_MORE) & ((1 << 8 * (size - head - 1)) - 1) for size in sizes})


def _floats(whole: Words) -> Floats:
    return whole.astype(np.float64)


def _doubles(word: Words) -> Floats:
    return word.view(np.float64)


def _singles(word: Words) -> Floats:
    return word.astype(np.uint32).view(np.float32).astype(np.float64)


_NO_BITS, _ANY_BUT_ONE = np.uint64(0), np.uint64(0xFFFF_FFFF_FFFF_FFFE)
NUMBER_KINDS: dict[FeastType, NumberKind] = {
    feast_types.Int64: NumberKind(0x20, _MORE, _varint_ends(range(2, 10)), _floats),
    feast_types.Int32: NumberKind(0x18, _MORE, _varint_ends(range(2, 6)), _floats),
    feast_types.Bool: NumberKind(0x38, _ANY_BUT_ONE, _by_size({2: 0}), _floats),
    feast_types.Float64: NumberKind(_DOUBLE_TAG, _NO_BITS, _by_size({9: 0}), _doubles),
    feast_types.Float32: NumberKind(0x35, _NO_BITS, _by_size({5: 0}), _singles),
}

# Seconds: tag, five bytes of which four say that more follow. Nanoseconds, if any: tag, bytes.
_FIVE_BYTES = np.uint64(0x7F_7F7F_7F7F)
_TIME_MASK = np.uint64(0x00FF_8080_8080_80FF)
_SECONDS = 0x0000_0080_8080_8008
_NANOS = _SECONDS | 0x0010_0000_0000_0000
_TIMES = _by_size({6: _SECONDS, **dict.fromkeys(range(8, 13), _NANOS)})
_NANO_ENDS = _varint_ends(range(8, 13), head=7)
_NANO_ENDS[6] = 0
