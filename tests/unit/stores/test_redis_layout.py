"""Keys and fields are Feast's, byte for byte, and come apart again without ambiguity."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from feast.infra.online_stores.helpers import _mmh3, _redis_key, _redis_key_prefix
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.value_type import ValueType
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.feast_layout import entity_key, feature_field, key_prefix
from lockstep.stores.redis_layout import KeyParts, KeyType, encode_time, key_encoder
from lockstep.stores.value_bytes import decode_time

names = st.text("abcé_*[?", min_size=1, max_size=5)
int64 = st.integers(-(2**63), 2**63 - 1)
values = st.one_of(
    st.tuples(st.just((ValueType.INT64, "int64_val")), int64),
    st.tuples(st.just((ValueType.INT32, "int32_val")), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just((ValueType.UNIX_TIMESTAMP, "unix_timestamp_val")), int64),
    st.tuples(st.just((ValueType.STRING, "string_val")), st.text(max_size=8)),
    st.tuples(st.just((ValueType.BYTES, "bytes_val")), st.binary(max_size=8)),
)
entities = st.dictionaries(names, values, max_size=3)
projects = st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True)


@given(entities, projects)
def test_a_key_from_its_parts_is_feasts_key(entity: dict[str, Any], project: str) -> None:
    protos = [Value(**{field: value}) for (_, field), value in entity.values()]
    key = EntityKey(join_keys=list(entity), entity_values=protos)
    typed = [_typed(entity[name]) for name in sorted(entity)]
    parts = [key_encoder(KeyType[value_type.name])(value) for value_type, value in typed]
    assert key_prefix(list(entity)) == _redis_key_prefix(list(entity))
    built = key_prefix(list(entity)) + b"".join(parts) + project.encode()
    assert built == entity_key(project, key) == _redis_key(project, key)
    assert KeyParts.of(built) == KeyParts(tuple(sorted(entity)), project)


@given(entities, projects, st.data())
def test_a_key_cut_short_is_another_key_or_none(
    entity: dict[str, Any], project: str, data: st.DataObject
) -> None:
    protos = [Value(**{field: value}) for (_, field), value in entity.values()]
    key = entity_key(project, EntityKey(join_keys=list(entity), entity_values=protos))
    cut = data.draw(st.integers(0, len(key) - 1))
    assert KeyParts.of(key[:cut]) != KeyParts.of(key)


def test_a_project_is_not_the_end_of_another() -> None:
    key = EntityKey(join_keys=["k"], entity_values=[Value(string_val="anti")])
    assert KeyParts.of(entity_key("antifraud", key)) == KeyParts(("k",), "antifraud")
    assert KeyParts.of(entity_key("fraud", key)) == KeyParts(("k",), "fraud")


@pytest.mark.parametrize(
    ("value_type", "value"),
    [
        (ValueType.INT64, "1"),
        (ValueType.INT64, 1.0),
        (ValueType.INT64, True),
        (ValueType.INT64, 2**63),
        (ValueType.INT32, 2**31),
        (ValueType.STRING, 1),
        (ValueType.BYTES, "x"),
        (ValueType.STRING, None),
    ],
)
def test_a_value_of_another_type_is_refused(value_type: ValueType, value: object) -> None:
    with pytest.raises((TypeError, struct.error)):
        key_encoder(KeyType[value_type.name])(value)


@given(names, names)
def test_fields_are_feasts(view: str, feature: str) -> None:
    assert feature_field(view, feature) == _mmh3(f"{view}:{feature}")


@given(st.integers(-(10**15), 4 * 10**15))
def test_times_are_exact_to_the_microsecond(us: int) -> None:
    assert decode_time(encode_time(us)) == us


def _typed(entry: tuple[tuple[ValueType, str], Any]) -> tuple[ValueType, Any]:
    (value_type, _), value = entry
    return value_type, value
