"""A write to one hash that happens only while Redis holds what the writer has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# What is held is compared with a mark before it: an empty value is not an absent one.
_SCRIPT = b"""
local guards = tonumber(ARGV[1])
for i = 2, 2 * guards, 2 do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  if (held and '+' .. held or '-') ~= ARGV[i + 1] then return 0 end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2 * guards + 3))
local ttl = ARGV[2 * guards + 2]
if ttl ~= '0' then redis.call('EXPIRE', KEYS[1], ttl) end
if KEYS[2] then redis.call('INCR', KEYS[2]) end
return 1
"""


def guarded_write(
    keys: Sequence[bytes],
    seen: Mapping[bytes, bytes | None],
    pairs: bytes,
    *,
    count: int,
    key_ttl: int,
) -> bytes:
    """The command, as it goes over the wire; it answers 1, or 0 where nothing was written.

    `keys` are the hash's and, where others watch for writes, that of their count.
    `seen` is what the fields held. `pairs` are the fields and values to write, `count` bulk
    strings. The hash expires after `key_ttl` seconds, never for 0.
    """
    own = [b"EVAL", _SCRIPT, b"%d" % len(keys), *keys, b"%d" % len(seen)]
    for field, content in seen.items():
        own += [field, b"-" if content is None else b"+" + content]
    own.append(b"%d" % key_ttl)
    return b"*%d\r\n%b%b" % (len(own) + count, b"".join(map(bulk_string, own)), pairs)


def bulk_string(content: bytes) -> bytes:
    """Bytes as Redis reads them.

    >>> bulk_string(b"abc")
    b'$3\\r\\nabc\\r\\n'
    """
    return b"$%d\r\n%b\r\n" % (len(content), content)


def bulk_content(bulk: bytes) -> bytes:
    """What is in a bulk string."""
    return bulk[bulk.index(b"\r\n") + 2 : -2]
