"""Deletes that touch one project's rows of one view, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from feast import FeatureView, RepoConfig

from lockstep.contract.clock import Clock
from lockstep.stores.feast_layout import feature_field, key_prefix
from lockstep.stores.lake_errors import lake_errors
from lockstep.stores.ledger import ChangeRow, append, ledger_folder
from lockstep.stores.locations import lake_of
from lockstep.stores.materialization import layout_of
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
local gone = math.min(1, redis.call('HDEL', KEYS[1], unpack(ARGV)))
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 4) == '_ts:' then return gone end
end
redis.call('DEL', KEYS[1])
return gone
"""


def delete_view(
    servers: RedisServers,
    project: str,
    view: str,
    *,
    join_keys: Sequence[str],
    features: Sequence[str],
) -> int:
    """Removes a view's own keys and its fields from every hash of the project; of how many.

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
    removed = 0
    for found in servers.scan(pattern, count=_BATCH):
        keys = [key for key in found if KeyParts.of(key) == wanted]
        replies = servers.ask(keys, [packed("EVAL", _DELETE_ROW, 1, key, *fields) for key in keys])
        removed += sum(replies)
    return removed


def begin_deletion(config: RepoConfig, view: FeatureView, clock: Clock) -> ChangeRow | None:
    """Puts on record that a view is about to be deleted; None where the ledger does not know it.

    Raises:
        SourceError: the lake cannot be reached, or written to.
    """
    with lake_errors():
        lake = lake_of(config)
        if not lake.list(ledger_folder(config.project, view.name)):
            return None
        row = ChangeRow(
            project=config.project,
            view=view.name,
            kind="view-deletion",
            definition=layout_of(view),
            started=clock.now(),
        )
        append(lake, row)
    return row


def end_deletion(config: RepoConfig, begun: ChangeRow, rows: int, clock: Clock) -> None:
    """Puts on record that it is deleted, and from how many keys.

    Raises:
        SourceError: as `begin_deletion`.
    """
    with lake_errors():
        append(lake_of(config), replace(begun, finished=clock.now(), rows=rows))


def _literal(prefix: bytes) -> bytes:
    """The prefix as a pattern that matches only itself: a length may be the byte of a `*`."""
    return re.sub(rb"([*?\[\]\\^])", rb"\\\1", prefix)
