"""A vector's values and statuses are those that `read` gives, compiled or not."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Bool, FeastType, Float32, Float64, Int32, Int64, String
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores import compiled, feature_vectors, online_writes
from lockstep.stores.errors import ReadPlanError
from lockstep.stores.feature_vectors import NO_TIME, STATUSES, VectorDecoder
from lockstep.stores.live_tail import TailStep, encode_tail
from lockstep.stores.online_read import statuses
from lockstep.stores.plan_compiler import read_plan
from lockstep.stores.redis_layout import encode_time

SECOND = 1_000_000
T0 = 1_522_540_800_000_000


def view(name: str, key: str, features: dict[str, FeastType], **more: Any) -> FeatureView:
    ttl = timedelta(seconds=more.pop("ttl", 0))
    return FeatureView(
        name=name,
        entities=[Entity(name=key, join_keys=[key], value_type=ValueType.INT64)],
        ttl=ttl,
        schema=[
            Field(name=key, dtype=Int64),
            *(Field(name=n, dtype=t) for n, t in features.items()),
        ],
        source=FileSource(path=name, timestamp_field="event_timestamp"),
        tags=more,
    )


CARD = view(
    "card", "card_id", {"n": Int64, "mean": Float64, "valid_until_us": Int64}, max_age_seconds="5"
)
FLAGS = view("flags", "card_id", {"is_new": Bool, "f": Float32}, ttl=4)
SHOP = view("shop", "shop_id", {"m": Int32}, live="true")
PLAN = read_plan("p", [CARD, SHOP, FLAGS])

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "bool_val": st.booleans(),
    "int32_val": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 300),
    "int64_val": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300),
    "float_val": st.floats(width=32),
    "double_val": st.floats(),
}
seconds = st.integers(-62_135_596_800, 253_402_300_799) | st.integers(0, 2_000_000_000)
stamps = st.one_of(
    st.builds(Timestamp, seconds=seconds, nanos=st.integers(0, 999_999_999)).map(
        Timestamp.SerializeToString
    ),
    st.sampled_from([b"", b"\x10\x05", b"\x08\x05\x08\x06", b"\x08\x05\xf8\x3f\x05"]),
)
cells = st.one_of(
    st.none(),
    st.sampled_from([b"", Value(null_val=0).SerializeToString(), b"\xf8\x3f\x05"]),
    st.sampled_from(
        [
            Value(int64_val=7),
            Value(int64_val=-7),
            Value(int64_val=2**60),
            Value(int32_val=7),
            Value(double_val=0.5),
            Value(double_val=math.nan),
            Value(float_val=0.1),
            Value(bool_val=True),
        ]
    ).map(Value.SerializeToString),
)
times = st.integers(T0, T0 + 9 * SECOND)
instants = st.none() | times.map(encode_time)
until = st.none() | st.just(b"") | times.map(lambda t: Value(int64_val=t).SerializeToString())


@st.composite
def answers(draw: st.DrawFn) -> list[list[bytes | None]]:
    """What Redis may say of one entity: the hash of cards, then that of shops."""
    card = [draw(instants), draw(instants), draw(cells), draw(cells), draw(until)]
    flags = [draw(instants), draw(instants), draw(cells), draw(cells)]
    (field,) = PLAN.keys[1].fields[2:3]
    steps = [TailStep(draw(times), draw(times), {field: draw(cells) or b""}) for _ in range(3)]
    tail = draw(st.none() | st.just(encode_tail(sorted(steps, reverse=True))))
    return [card + flags, [draw(instants), draw(instants), draw(cells), tail]]


@given(
    rows=st.lists(st.tuples(answers(), times), min_size=1, max_size=5),
    horizons=st.tuples(*[st.none() | times] * 3),
    order=st.none() | st.permutations(PLAN.read_features),
)
def test_vectors_are_what_is_read(
    rows: list[tuple[list[list[bytes | None]], int]],
    horizons: tuple[int | None, ...],
    order: list[str] | None,
) -> None:
    plan = PLAN if order is None else PLAN.ordered(order[:4])
    decoder = VectorDecoder.of(plan)
    flat = [answer for row, _ in rows for answer in row]
    t_us = [t for _, t in rows]
    found = iter(flat)
    reads = [plan.entity(found, horizons, t) for t in t_us]
    known = [statuses(read.values(), t) for read, t in zip(reads, t_us, strict=True)]
    happened = [[read[view.name].event_us for view in plan.views] for read in reads]
    event_us = [[NO_TIME if us is None else us for us in row] for row in happened]
    values = [[_float(row[name].value) for name in plan.features] for row in known]
    codes = [[STATUSES.index(row[name].status) for name in plan.features] for row in known]
    for reader in (feature_vectors.fill, _fills_nothing):
        with patch.object(feature_vectors, "fill", reader):
            vectors = decoder.vectors(flat, horizons, t_us)
        np.testing.assert_array_equal(vectors.values, values)
        np.testing.assert_array_equal(vectors.codes, codes)
        np.testing.assert_array_equal(vectors.event_us, event_us)


@pytest.mark.parametrize("field", FIELDS)
@given(data=st.data())
def test_every_number_is_read_as_python_reads_it(field: str, data: st.DataObject) -> None:
    value = Value(**{field: data.draw(FIELDS[field])}).SerializeToString()
    cell = value[: data.draw(st.integers(0, len(value)))] + data.draw(st.binary(max_size=2))
    decoder = VectorDecoder.of(read_plan("p", [view("v", "k", {"n": Int64})]))
    outcomes = []
    for reader in (feature_vectors.fill, _fills_nothing):
        with patch.object(feature_vectors, "fill", reader):
            try:
                vectors = decoder.vectors([[encode_time(T0), None, cell]], [None], [T0])
                outcomes.append(repr((vectors.values, vectors.codes, vectors.event_us)))
            except (DecodeError, TypeError, ValueError) as error:
                outcomes.append(repr(error))
    assert outcomes[0] == outcomes[1]


@given(st.lists(st.tuples(st.none() | stamps, st.none() | stamps)))
def test_versions_are_read_as_python_reads_them(
    held: list[tuple[bytes | None, bytes | None]],
) -> None:
    answers = [list(pair) for pair in held]
    found = online_writes.held_versions(answers)
    with patch.object(online_writes, "versions", lambda held, _: range(len(held))):
        np.testing.assert_array_equal(found, online_writes.held_versions(answers))


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="installed without a C compiler")
def test_plain_rows_are_not_left_to_python() -> None:
    decoder = VectorDecoder.of(PLAN)
    now = encode_time(T0)
    number, flag = (
        Value(int64_val=7).SerializeToString(),
        Value(bool_val=True).SerializeToString(),
    )
    card = [now, None, number, b"", None, now, now, flag, None]
    shop = [encode_time(T0 + SECOND), now, number, None]
    values, codes, event_us = np.empty((2, 5)), np.empty((2, 5), np.uint8), np.empty((2, 3), int)
    answers = [card, [None] * 4, card, shop]
    left = feature_vectors.fill(
        answers, [T0, T0], [None] * 3, decoder.layout, values, codes, event_us
    )
    # That of the second shop was not known yet: its tail, which only Python reads, may help.
    assert left == [1]


@pytest.mark.parametrize(
    ("answers", "times", "horizons", "error"),
    [
        ([[None] * 9], [T0], [None] * 3, ValueError),
        ([[None] * 9, [None] * 4], [T0], [None], ValueError),
        ([[None] * 9, [None] * 4], ["now"], [None] * 3, TypeError),
        ([[None] * 9, [None] * 4], [2**63], [None] * 3, OverflowError),
        ([[None] * 9, None], [T0], [None] * 3, TypeError),
        ([[b"", 1, *[None] * 7], [None] * 4], [T0], [None] * 3, TypeError),
        ([[b""], [None] * 4], [T0], [None] * 3, IndexError),
    ],
)
def test_what_is_no_answer_is_refused(
    answers: Any, times: Any, horizons: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        VectorDecoder.of(PLAN).vectors(answers, horizons, times)


@pytest.mark.parametrize(
    "numbers",
    [[], [1, 1, 1], [0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0], [2**62, 0, 0]],
)
def test_a_layout_that_points_nowhere_is_refused(numbers: list[int]) -> None:
    layout = np.array(numbers, np.int64).tobytes()
    with pytest.raises(ValueError, match="the layout"):
        filled = np.empty((0, 1)), np.empty((0, 1), np.uint8), np.empty((0, 1), np.int64)
        feature_vectors.fill([], [], [], layout, *filled)


@pytest.mark.parametrize("short", range(3))
def test_what_is_filled_must_have_room(short: int) -> None:
    decoder = VectorDecoder.of(PLAN)
    sizes = [(1, 5, float), (1, 5, np.uint8), (1, 3, np.int64)]
    filled = [np.empty((rows, width - (n == short)), t) for n, (rows, width, t) in enumerate(sizes)]
    with pytest.raises(ValueError, match="of other sizes"):
        feature_vectors.fill([[None] * 9, [None] * 4], [T0], [None] * 3, decoder.layout, *filled)


def test_a_status_is_found_by_name() -> None:
    vectors = VectorDecoder.of(PLAN).vectors([[None] * 9, [None] * 4], (None,) * 3, [T0])
    assert vectors.status(0, "mean") == "NOT_FOUND"
    assert vectors.values.shape == (1, 5)


def test_what_no_vector_can_hold_is_refused() -> None:
    text = read_plan("p", [view("names", "k", {"name": String})])
    with pytest.raises(ReadPlanError, match="'name' is String, expected a number"):
        VectorDecoder.of(text)
    with pytest.raises(ReadPlanError, match=r"\['x'\] are not read; there are \['n'"):
        PLAN.ordered(["n", "x"])


def _fills_nothing(answers: Any, t_us: list[int], *_: Any) -> range:
    return range(len(t_us))


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)
