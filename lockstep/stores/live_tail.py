"""The last few steps of an entity, for views tagged `live`: what was known before the newest.

Lies in the hash beside the newest row, so that a read at an earlier T still finds its step.
Newest first; each step: event and created microseconds (two i64), u16 count of fields, and
for each u8 length, field, u32 length, bytes; all little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_HEAD = struct.Struct("<qqH")
_NAME = struct.Struct("<B")
_CONTENT = struct.Struct("<I")


@dataclass(frozen=True, order=True)
class TailStep:
    """One step; steps are ordered by event, then created time."""

    event_us: int
    created_us: int
    fields: Mapping[bytes, bytes] = field(compare=False)

    @property
    def version(self) -> tuple[int, int]:
        """What orders corrections."""
        return (self.event_us, self.created_us)


def merged(steps: Iterable[TailStep], arrived: Iterable[TailStep], *, keep: int) -> list[TailStep]:
    """The newest `keep` of both, newest first; of one version the one that arrived last.

    >>> old, new = TailStep(1, 1, {}), TailStep(2, 2, {})
    >>> merged([old], [new], keep=1) == [new]
    True
    """
    by_version = {step.version: step for step in (*steps, *arrived)}
    return sorted(by_version.values(), reverse=True)[:keep]


def known_at(steps: Iterable[TailStep], t_us: int) -> TailStep | None:
    """The newest step that was known at T; None where the steps do not reach back to it."""
    known = (step for step in steps if step.event_us <= t_us and step.created_us <= t_us)
    return max(known, default=None)


def encode_tail(steps: Iterable[TailStep]) -> bytes:
    """The steps as they lie in Redis."""
    parts = []
    for step in steps:
        parts.append(_HEAD.pack(step.event_us, step.created_us, len(step.fields)))
        for name, content in step.fields.items():
            parts += [_NAME.pack(len(name)), name, _CONTENT.pack(len(content)), content]
    return b"".join(parts)


def decode_tail(data: bytes) -> Iterator[TailStep]:
    """The steps again.

    >>> steps = [TailStep(5, 6, {b"a": b"xyz", b"b": b""})]
    >>> list(decode_tail(encode_tail(steps))) == steps
    True
    """
    at = 0
    while at < len(data):
        event_us, created_us, count = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        fields = {}
        for _ in range(count):
            name, at = _part(data, at, _NAME)
            fields[name], at = _part(data, at, _CONTENT)
        yield TailStep(event_us, created_us, fields)


def _part(data: bytes, at: int, length: struct.Struct) -> tuple[bytes, int]:
    (size,) = length.unpack_from(data, at)
    start = at + length.size
    return data[start : start + size], start + size
