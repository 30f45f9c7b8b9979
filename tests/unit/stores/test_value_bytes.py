"""Bytes of messages read by hand are what protobuf reads."""

from __future__ import annotations

import math
from typing import Any

import pytest
from feast.protos.feast.types.Value_pb2 import Int64List, Null, Value
from feast.type_map import feast_value_type_to_python_type
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.redis_layout import encode_time
from lockstep.stores.value_bytes import decode_time, python_value

int32 = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 300)
int64 = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "bool_val": st.booleans(),
    "int32_val": int32,
    "int64_val": int64,
    "float_val": st.floats(width=32),
    "double_val": st.floats(),
    "string_val": st.text(),
    "bytes_val": st.binary(),
}
# Fields that Feast's message does not have, of every wire type.
unknown = st.sampled_from(
    [b"\xf8\x3f\x05", b"\xf9\x3f12345678", b"\xfa\x3f\x02ab", b"\xfd\x3f1234"]
)
seconds = st.integers(-62_135_596_800, 253_402_300_799) | st.integers(0, 2_000_000_000)
nanos = st.integers(0, 999_999_999) | st.just(0)
values = st.one_of(
    *(
        cells.map(lambda cell, field=field: Value(**{field: cell}))
        for field, cells in FIELDS.items()
    )
)


def same(one: Any, other: Any) -> bool:
    both_nan = isinstance(one, float) and math.isnan(one) and math.isnan(other)
    return both_nan or (one == other and type(one) is type(other))


def by_protobuf(data: bytes) -> Any:
    value = Value.FromString(data)
    field = value.WhichOneof("val")
    if field in FIELDS:
        return getattr(value, field)
    return None if field is None else feast_value_type_to_python_type(value)


@pytest.mark.parametrize("field", FIELDS)
@given(data=st.data())
def test_every_scalar_reads_as_protobuf_reads_it(field: str, data: st.DataObject) -> None:
    message = Value(**{field: data.draw(FIELDS[field])}).SerializeToString()
    for _ in range(2):
        assert same(python_value(message), by_protobuf(message))


@given(st.lists(values.map(Value.SerializeToString) | unknown, max_size=3).map(b"".join))
def test_several_and_unknown_fields_read_as_protobuf_reads_them(message: bytes) -> None:
    assert same(python_value(message), by_protobuf(message))


@given(values.map(Value.SerializeToString), st.data())
def test_a_message_cut_short_is_read_or_refused_as_protobuf_does(
    message: bytes, data: st.DataObject
) -> None:
    cut = message[: data.draw(st.integers(0, len(message) - 1))]
    try:
        expected = by_protobuf(cut)
    except DecodeError:
        with pytest.raises(DecodeError):
            python_value(cut)
    else:
        assert same(python_value(cut), expected)


@pytest.mark.parametrize(
    "value",
    [
        Value(),
        Value(null_val=Null.NULL),
        Value(int64_list_val=Int64List(val=[1, 2])),
        Value(int64_list_val=Int64List()),
        Value(unix_timestamp_val=1_522_584_000),
        Value(json_val='{"a": [1]}'),
    ],
    ids=str,
)
def test_what_is_no_scalar_is_left_to_feast(value: Value) -> None:
    message = value.SerializeToString()
    assert python_value(message) == by_protobuf(message)


def test_a_list_that_was_read_is_the_readers_own() -> None:
    empty = Value(int64_list_val=Int64List()).SerializeToString()
    python_value(empty).append(1)
    assert python_value(empty) == []


@given(seconds, nanos)
def test_times_are_protobufs_to_the_microsecond(seconds: int, nanos: int) -> None:
    message = Timestamp(seconds=seconds, nanos=nanos).SerializeToString()
    expected = seconds * 1_000_000 + nanos // 1000
    assert decode_time(message) == decode_time(message + b"\xf8\x3f\x05") == expected
    assert decode_time(encode_time(expected)) == expected
