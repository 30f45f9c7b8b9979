"""Deletes that touch one project's rows of one view, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lockstep.stores.feast_layout import feature_field, key_prefix
from lockstep.stores.redis_layout import (
    KeyParts,
    created_field,
    event_field,
    horizon_key,
    mark_key,
    rows_field,
    tail_field,
    writes_key,
)
from lockstep.stores.redis_servers import RedisServers
from lockstep.stores.redis_wire import packed

_BATCH = 1000

# A hash in which no view has a row is removed with what older definitions left in it.
_DELETE_ROW = """
redis.call('HDEL', KEYS[1], unpack(ARGV))
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 4) == '_ts:' then return 0 end
end
return redis.call('DEL', KEYS[1])
"""


def delete_view(
    servers: RedisServers,
    project: str,
    view: str,
    *,
    join_keys: Sequence[str],
    features: Sequence[str],
) -> None:
    """Removes a view's own keys and its fields from every hash of the project.

    Views with the same join keys keep theirs. Walks the keys that begin with these join
    keys, so it is for definitions that go away, not for rows.

    Raises:
        RedisError, OSError: Redis does not answer, or refuses; the rest is not removed.
    """
    own = [name(project, view) for name in (horizon_key, mark_key, writes_key)]
    servers.ask(own, [packed("DEL", key) for key in own])
    fields = [event_field(view), created_field(view), tail_field(view), rows_field(view)]
    fields += [feature_field(view, feature) for feature in features]
    wanted = KeyParts(tuple(sorted(join_keys)), project)
    pattern = _literal(key_prefix(join_keys)) + b"*"
    for found in servers.scan(pattern, count=_BATCH):
        keys = [key for key in found if KeyParts.of(key) == wanted]
        servers.ask(keys, [packed("EVAL", _DELETE_ROW, 1, key, *fields) for key in keys])


def _literal(prefix: bytes) -> bytes:
    """The prefix as a pattern that matches only itself: a length may be the byte of a `*`."""
    return re.sub(rb"([*?\[\]\\^])", rb"\\\1", prefix)
