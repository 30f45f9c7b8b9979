"""The parts of the Redis layout that Feast itself computes."""

from __future__ import annotations

from collections.abc import Sequence

from feast.infra.key_encoding_utils import serialize_entity_key_prefix
from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey


def entity_key(project: str, key: EntityKey) -> bytes:
    """The Redis key of an entity's hash."""
    return bytes(_redis_key(project, key))


def key_prefix(join_keys: Sequence[str]) -> bytes:
    """What the Redis keys of all entities with these join keys begin with."""
    return bytes(serialize_entity_key_prefix(list(join_keys)))


def feature_field(view: str, feature: str) -> bytes:
    """The hash field of a feature's value."""
    return bytes(_mmh3(f"{view}:{feature}"))
