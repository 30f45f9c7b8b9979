"""A vector's values and statuses are those that `read` gives, however many rows there are."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Bool, FeastType, Float32, Float64, Int32, Int64, String
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.errors import ReadPlanError
from lockstep.stores.feature_vectors import STATUSES, VectorDecoder
from lockstep.stores.live_tail import TailStep, encode_tail
from lockstep.stores.online_read import statuses
from lockstep.stores.read_plan import ReadPlan
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
PLAN = ReadPlan.compile("p", [CARD, SHOP, FLAGS])

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
    known = [statuses(plan.entity(found, horizons, t).values(), t) for t in t_us]
    values = [[_float(row[name].value) for name in plan.features] for row in known]
    codes = [[STATUSES.index(row[name].status) for name in plan.features] for row in known]
    by_column = decoder._by_column(flat, horizons, np.array(t_us, np.int64))
    for vectors in (decoder._by_row(flat, horizons, t_us), by_column):
        np.testing.assert_array_equal(vectors.values, values)
        np.testing.assert_array_equal(vectors.codes, codes)


def test_a_status_is_found_by_name() -> None:
    vectors = VectorDecoder.of(PLAN).vectors([[None] * 9, [None] * 4], (None,) * 3, [T0])
    assert vectors.status(0, "mean") == "NOT_FOUND"
    assert vectors.values.shape == (1, 5)


def test_what_no_vector_can_hold_is_refused() -> None:
    text = ReadPlan.compile("p", [view("names", "k", {"name": String})])
    with pytest.raises(ReadPlanError, match="'name' is String, expected a number"):
        VectorDecoder.of(text)
    with pytest.raises(ReadPlanError, match=r"\['x'\] are not read; there are \['n'"):
        PLAN.ordered(["n", "x"])


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)
