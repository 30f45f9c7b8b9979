"""How a row of a feature view lies in Redis: Feast's layout, and what Lockstep adds to it.

One hash for each combination of join keys, shared by the views that have those keys.

    key     u32 count of join keys; for each, by name: u32 2, u32 length, name;
            for each value: u32 type, u32 length, bytes; then the project's name
    field   murmur3_32 of `view:feature`, four bytes, little-endian -> a serialised Value
            `_ts:<view>`       -> a serialised Timestamp, the event time
            `_created:<view>`  -> the same, the created time (ours; Feast's clients ignore it)
            `_tail:<view>`     -> the last few steps of a view tagged `live` (ours, `live_tail`)
            `_rows:<view>`     -> what the step was made of, of a view tagged `kept_rows` (ours)

and beside the hashes, for each view (ours):

    lockstep:horizon:<project>:<view> -> microseconds as text: exact for T < horizon
    lockstep:writes:<project>:<view>  -> a count of writes, by which writers notice each other

What Feast computes of it stands in `feast_layout`; this module does not import Feast.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from lockstep.windows.microseconds import SECOND_US

_KEY_HEAD = struct.Struct("<2I")


class KeyType(IntEnum):
    """What a join key may be; the numbers of Feast's ValueType."""

    BYTES = 1
    STRING = 2
    INT32 = 3
    INT64 = 4
    UNIX_TIMESTAMP = 8


_INTEGERS = {KeyType.INT32: "<2Ii", KeyType.INT64: "<2Iq", KeyType.UNIX_TIMESTAMP: "<2Iq"}


def key_encoder(key_type: KeyType) -> Callable[[Any], bytes]:
    """Makes one join key's value as it stands in the Redis key.

    It raises TypeError or struct.error for a value that is not of that type, or out of range.
    """
    number = key_type.value
    if key_type in _INTEGERS:
        packer = struct.Struct(_INTEGERS[key_type])
        size = packer.size - _KEY_HEAD.size

        def encode_integer(value: Any) -> bytes:
            if type(value) is not int and (not isinstance(value, int) or isinstance(value, bool)):
                raise TypeError(value)
            return packer.pack(number, size, value)

        return encode_integer
    wanted = str if key_type is KeyType.STRING else bytes

    def encode_text(value: Any) -> bytes:
        if not isinstance(value, wanted):
            raise TypeError(value)
        encoded = value.encode() if isinstance(value, str) else value
        return _KEY_HEAD.pack(number, len(encoded)) + encoded

    return encode_text


@dataclass(frozen=True)
class KeyParts:
    """A Redis key taken apart."""

    join_keys: tuple[str, ...]
    project: str

    @classmethod
    def of(cls, key: bytes) -> KeyParts | None:
        """The parts of `key`; None for a key that is not of this layout.

        The project is exactly what is left after as many values as there are join keys, by
        their own lengths: `fraud` is never taken for the end of `antifraud`.
        """
        try:
            (count,) = struct.unpack_from("<I", key)
            names, rest = _fields(key[4:], count)
            _, project = _fields(rest, count)
            return cls(tuple(name.decode() for name in names), project.decode())
        except (struct.error, UnicodeDecodeError):
            return None


def _fields(data: bytes, count: int) -> tuple[list[bytes], bytes]:
    """`count` fields of u32 type, u32 length and bytes; and what follows them."""
    fields = []
    for _ in range(count):
        _, length = struct.unpack_from("<2I", data)
        if len(data) < 8 + length:
            raise struct.error("shorter than its declared length")
        fields.append(data[8 : 8 + length])
        data = data[8 + length :]
    return fields, data


def event_field(view: str) -> bytes:
    """The hash field of a row's event time; a row without it was never written."""
    return f"_ts:{view}".encode()


def created_field(view: str) -> bytes:
    """The hash field of a row's created time."""
    return f"_created:{view}".encode()


def tail_field(view: str) -> bytes:
    """The hash field of a live view's last few steps."""
    return f"_tail:{view}".encode()


def rows_field(view: str) -> bytes:
    """The hash field of the rows that a view's step was made of."""
    return f"_rows:{view}".encode()


def horizon_key(project: str, view: str) -> bytes:
    """The Redis key of the T before which a view's rows are exact."""
    return f"lockstep:horizon:{project}:{view}".encode()


def writes_key(project: str, view: str) -> bytes:
    """The Redis key that every write to a view counts up."""
    return f"lockstep:writes:{project}:{view}".encode()


def mark_key(project: str, view: str) -> bytes:
    """The Redis key of what the last materialisation of a view has done."""
    return f"lockstep:materialized:{project}:{view}".encode()


def encode_time(us: int) -> bytes:
    """Microseconds as a serialised Timestamp.

    >>> encode_time(2_000_001).hex()
    '080210e807'
    """
    seconds, rest = divmod(us, SECOND_US)
    return bytes(Timestamp(seconds=seconds, nanos=rest * 1000).SerializeToString())
