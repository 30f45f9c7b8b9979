"""How a row of a feature view lies in Redis: Feast's layout, and what Lockstep adds to it.

One hash for each combination of join keys, shared by the views that have those keys.

    key     u32 count of join keys; for each, by name: u32 2, u32 length, name;
            for each value: u32 type, u32 length, bytes; then the project's name
    field   murmur3_32 of `view:feature`, four bytes, little-endian -> a serialised Value
            `_ts:<view>`       -> a serialised Timestamp, the event time
            `_created:<view>`  -> the same, the created time (ours; Feast's clients ignore it)

and beside the hashes, for each view (ours):

    lockstep:horizon:<project>:<view> -> microseconds as text: exact for T < horizon
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feast.infra.key_encoding_utils import serialize_entity_key_prefix
from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.value_type import ValueType
from google.protobuf.timestamp_pb2 import Timestamp

_SECOND = 1_000_000
_INTEGERS = {
    ValueType.INT32: struct.Struct("<i"),
    ValueType.INT64: struct.Struct("<q"),
    ValueType.UNIX_TIMESTAMP: struct.Struct("<q"),
}


def entity_key(project: str, key: EntityKey) -> bytes:
    """The Redis key of an entity's hash."""
    return bytes(_redis_key(project, key))


def key_prefix(join_keys: Sequence[str]) -> bytes:
    """What the Redis keys of all entities with these join keys begin with."""
    return bytes(serialize_entity_key_prefix(list(join_keys)))


def key_value(value_type: ValueType, value: Any) -> bytes:
    """One join key's value as it stands in the Redis key.

    Raises:
        TypeError, struct.error: `value` is not of that type, or out of its range.
    """
    if value_type in _INTEGERS:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(value)
        encoded = _INTEGERS[value_type].pack(value)
    else:
        wanted = str if value_type == ValueType.STRING else bytes
        if not isinstance(value, wanted):
            raise TypeError(value)
        encoded = value.encode() if isinstance(value, str) else value
    return struct.pack("<2I", value_type.value, len(encoded)) + encoded


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


def feature_field(view: str, feature: str) -> bytes:
    """The hash field of a feature's value."""
    return bytes(_mmh3(f"{view}:{feature}"))


def event_field(view: str) -> bytes:
    """The hash field of a row's event time; a row without it was never written."""
    return f"_ts:{view}".encode()


def created_field(view: str) -> bytes:
    """The hash field of a row's created time."""
    return f"_created:{view}".encode()


def horizon_key(project: str, view: str) -> bytes:
    """The Redis key of the T before which a view's rows are exact."""
    return f"lockstep:horizon:{project}:{view}".encode()


def encode_time(us: int) -> bytes:
    """Microseconds as a serialised Timestamp.

    >>> decode_time(encode_time(1_522_540_800_000_001))
    1522540800000001
    """
    seconds, rest = divmod(us, _SECOND)
    return bytes(Timestamp(seconds=seconds, nanos=rest * 1000).SerializeToString())


def decode_time(data: bytes) -> int:
    """Microseconds of a serialised Timestamp, exactly."""
    time = Timestamp.FromString(data)
    return int(time.seconds * _SECOND + time.nanos // 1000)
