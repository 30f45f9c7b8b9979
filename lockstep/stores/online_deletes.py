"""Deletes that touch one project's rows of one view, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lockstep.stores.redis_connection import RedisClient
from lockstep.stores.redis_layout import (
    KeyParts,
    created_field,
    event_field,
    feature_field,
    horizon_key,
    key_prefix,
    mark_key,
    tail_field,
    writes_key,
)

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
    client: RedisClient,
    project: str,
    view: str,
    *,
    join_keys: Sequence[str],
    features: Sequence[str],
) -> None:
    """Removes a view's own keys and its fields from every hash of the project.

    Views with the same join keys keep theirs. Walks the keys that begin with these join
    keys, so it is for definitions that go away, not for rows.
    """
    fields = [event_field(view), created_field(view), tail_field(view)]
    fields += [feature_field(view, feature) for feature in features]
    for own in (horizon_key, mark_key, writes_key):
        client.execute_command("DEL", own(project, view))
    keys = list(_project_keys(client, project, join_keys))
    for start in range(0, len(keys), _BATCH):
        with client.pipeline(transaction=False) as pipe:
            for key in keys[start : start + _BATCH]:
                pipe.execute_command("EVAL", _DELETE_ROW, 1, key, *fields)
            pipe.execute()


def _project_keys(client: RedisClient, project: str, join_keys: Sequence[str]) -> Iterator[bytes]:
    wanted = KeyParts(tuple(sorted(join_keys)), project)
    pattern = _literal(key_prefix(join_keys)) + b"*"
    for key in client.scan_iter(pattern, count=_BATCH):
        if KeyParts.of(key) == wanted:
            yield key


def _literal(prefix: bytes) -> bytes:
    """The prefix as a pattern that matches only itself: a length may be the byte of a `*`."""
    return re.sub(rb"([*?\[\]\\^])", rb"\\\1", prefix)
