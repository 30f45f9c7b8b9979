"""What the bytes of Feast's Value and Timestamp messages say, read without the messages.

A field is a tag (number * 8 + wire type) and its content. What is not plain here (lists,
maps, several fields) is left to protobuf and Feast, so every message reads as theirs do; Feast
is imported only then.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from lockstep.windows.microseconds import SECOND_US

_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")
_SECONDS_TAG, _NANOS_TAG = 0x08, 0x10
# What reading a message that is cut short, or is no text, raises here.
_NOT_PLAIN = (IndexError, ValueError, struct.error)

# Counts are short, and there are not many short messages: each is read once.
_SHORT = 3
_SHORT_VALUES: dict[bytes, Any] = {}

Read = tuple[Any, int]


def python_value(data: bytes) -> Any:
    """What a serialised Value holds; None for a null.

    >>> python_value(bytes([0x20, 0x96, 0x01])), python_value(b"")
    (150, None)
    """
    if len(data) > _SHORT:
        return _read_value(data)
    if data in _SHORT_VALUES:
        return _SHORT_VALUES[data]
    value = _read_value(data)
    if isinstance(value, Hashable):
        _SHORT_VALUES[data] = value
    return value


def _read_value(data: bytes) -> Any:
    if not data:
        return None
    read = _READERS.get(data[0])
    if read is not None:
        try:
            value, end = read(data)
        except _NOT_PLAIN:
            end = -1
        if end == len(data):
            return value
    return _message_value(data)


def decode_time(data: bytes) -> int:
    """Microseconds of a serialised Timestamp, exactly.

    >>> decode_time(bytes([0x08, 0x02, 0x10, 0xE8, 0x07]))
    2000001
    """
    if len(data) > 7 and data[0] == _SECONDS_TAG and data[6] == _NANOS_TAG:
        # Every time from 1978 on has seconds of five bytes: 0.9 us, the general way takes 2.3.
        a, b, c, d, e = data[1:6]
        if a & b & c & d & 0x80 and e < 0x80:
            nanos, end = _varint(data, 7)
            if end == len(data):
                seconds = a & 127 | (b & 127) << 7 | (c & 127) << 14 | (d & 127) << 21 | e << 28
                return seconds * SECOND_US + nanos // 1000
    parts = {_SECONDS_TAG: 0, _NANOS_TAG: 0}
    at, end = 0, len(data)
    try:
        while at < end:
            tag = data[at]
            if tag not in parts:
                return _message_time(data)
            parts[tag], at = _varint(data, at + 1)
    except _NOT_PLAIN:
        return _message_time(data)
    return _signed(parts[_SECONDS_TAG], 64) * SECOND_US + parts[_NANOS_TAG] // 1000


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The 64 bits that begin at `at`, seven to a byte, and where they end."""
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise ValueError("a varint of more than ten bytes")


def _signed(bits: int, width: int) -> int:
    bits &= (1 << width) - 1
    return bits - (1 << width) if bits >> (width - 1) else bits


def _int64(data: bytes) -> Read:
    bits, end = _varint(data, 1)
    return _signed(bits, 64), end


def _int32(data: bytes) -> Read:
    bits, end = _varint(data, 1)
    return _signed(bits, 32), end


def _bool(data: bytes) -> Read:
    bits, end = _varint(data, 1)
    return bits != 0, end


def _double(data: bytes) -> Read:
    return _DOUBLE.unpack_from(data, 1)[0], 9


def _float(data: bytes) -> Read:
    return _FLOAT.unpack_from(data, 1)[0], 5


def _bytes(data: bytes) -> Read:
    length, at = _varint(data, 1)
    return data[at : at + length], at + length


def _string(data: bytes) -> Read:
    content, end = _bytes(data)
    return content.decode(), end


_READERS: dict[int, Callable[[bytes], Read]] = {
    0x0A: _bytes,
    0x12: _string,
    0x18: _int32,
    0x20: _int64,
    0x29: _double,
    0x35: _float,
    0x38: _bool,
}
_SCALAR_FIELDS = {
    "bytes_val",
    "string_val",
    "int32_val",
    "int64_val",
    "double_val",
    "float_val",
    "bool_val",
}


def _message_value(data: bytes) -> Any:
    from feast.protos.feast.types.Value_pb2 import Value
    from feast.type_map import feast_value_type_to_python_type

    value = Value.FromString(data)
    field = value.WhichOneof("val")
    if field in _SCALAR_FIELDS:
        return getattr(value, field)
    return None if field is None else feast_value_type_to_python_type(value)


def _message_time(data: bytes) -> int:
    time = Timestamp.FromString(data)
    return int(time.seconds * SECOND_US + time.nanos // 1000)
