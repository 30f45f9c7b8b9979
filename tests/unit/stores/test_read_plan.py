"""The plan of a feature service: which hashes, which fields, and what their bytes mean."""

from __future__ import annotations

from datetime import timedelta

import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Int64, PrimitiveFeastType, String

from lockstep.contract.status import FeatureStatus
from lockstep.stores.errors import EntityKeyError, ReadPlanError
from lockstep.stores.feast_layout import entity_key, feature_field
from lockstep.stores.kept_rows import KeptRows
from lockstep.stores.online_read import ViewRead, statuses
from lockstep.stores.plan_compiler import read_plan
from lockstep.stores.redis_layout import encode_time

SECOND = 1_000_000


def view(
    name: str, features: list[str], *, keys: dict[str, PrimitiveFeastType], ttl: int = 0
) -> FeatureView:
    types = {Int64: ValueType.INT64, String: ValueType.STRING}
    return FeatureView(
        name=name,
        entities=[Entity(name=k, join_keys=[k], value_type=types[t]) for k, t in keys.items()],
        ttl=timedelta(seconds=ttl),
        schema=[
            *(Field(name=key, dtype=dtype) for key, dtype in keys.items()),
            *(Field(name=feature, dtype=Int64) for feature in features),
        ],
        source=FileSource(path="t", timestamp_field="event_timestamp"),
        tags={"max_age_seconds": "60"},
    )


CARD = view("card", ["n", "valid_until_us"], keys={"card_id": Int64}, ttl=9)
LIMIT = view("limit", ["limit"], keys={"card_id": Int64})
SHOP = view("shop", ["m"], keys={"shop": String, "country": String})


def test_views_with_the_same_keys_share_one_hash() -> None:
    plan = read_plan("p", [CARD, SHOP, LIMIT])
    assert [[v.name for v in key.views] for key in plan.keys] == [["card", "limit"], ["shop"]]
    assert plan.keys[0].fields == (
        b"_ts:card",
        b"_created:card",
        feature_field("card", "n"),
        feature_field("card", "valid_until_us"),
        b"_ts:limit",
        b"_created:limit",
        feature_field("limit", "limit"),
    )


def test_a_key_is_feasts_key() -> None:
    shop = read_plan("p", [SHOP]).keys[0]
    values = [Value(string_val="s"), Value(string_val="de")]
    proto = EntityKey(join_keys=["shop", "country"], entity_values=values)
    assert shop.key({"shop": "s", "country": "de", "other": 1}) == entity_key("p", proto)


def test_a_key_may_come_from_a_column_of_another_name() -> None:
    aliased = CARD.with_join_key_map({"card_id": "payer_id"})
    payer, card = read_plan("p", [aliased, LIMIT]).keys
    assert payer.key({"payer_id": 7}) == card.key({"card_id": 7})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "lacks 'card_id'; it has"),
        ({"card_id": "1"}, "card_id is '1', expected a 64-bit integer"),
        ({"card_id": 2**63}, "expected a 64-bit integer"),
        ({"card_id": True}, "card_id is True, expected"),
    ],
)
def test_a_row_without_a_proper_id_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(EntityKeyError, match=message):
        read_plan("p", [CARD]).keys[0].key(row)


def test_a_row_is_decoded_with_what_its_statuses_need() -> None:
    (plan,) = read_plan("p", [CARD]).views
    seven, until = (Value(int64_val=n).SerializeToString() for n in (7, 50))
    read = plan.decode([encode_time(5), encode_time(6), seven, until], 40)
    assert read == ViewRead(
        ("n",),
        event_us=5,
        created_us=6,
        valid_until_us=50,
        horizon_us=40,
        ttl_us=9 * SECOND,
        max_age_us=60 * SECOND,
        values={"n": 7},
    )


def test_a_null_is_found_and_a_row_without_its_time_is_not() -> None:
    (plan,) = read_plan("p", [LIMIT]).views
    assert plan.decode([encode_time(5), None, b""], None).values == {"limit": None}
    five = Value(int64_val=5).SerializeToString()
    assert plan.decode([None, None, five], None) == ViewRead(("limit",), max_age_us=60 * SECOND)


def test_a_feature_that_was_never_written_is_not_found_in_a_row_that_was() -> None:
    (plan,) = read_plan("p", [LIMIT]).views
    read = plan.decode([encode_time(5), None, None], None)
    assert statuses([read], 9)["limit"] == (None, FeatureStatus.NOT_FOUND, None)


def test_a_value_that_its_status_does_not_keep_is_none() -> None:
    read = ViewRead(("n",), event_us=10, ttl_us=5, horizon_us=12 * SECOND, values={"n": 7})
    assert statuses([read], 9)["n"] == (None, FeatureStatus.FUTURE, 0.0)
    assert statuses([read], 15)["n"] == (7, FeatureStatus.PRESENT, 0.0)
    assert statuses([read], 16)["n"] == (None, FeatureStatus.EXPIRED, 0.0)


def test_what_cannot_be_read_together_is_refused() -> None:
    with pytest.raises(ReadPlanError, match=r"'n' comes from several views: \['card', 'twin'\]"):
        read_plan("p", [CARD, view("twin", ["n"], keys={"card_id": Int64})])
    with pytest.raises(ReadPlanError, match=r"'card' has no features \['x'\]"):
        read_plan("p", [CARD], {"card": ["x"]})


def test_kept_rows_are_read_only_where_they_are_asked_for() -> None:
    kept = KeptRows("bank/payments", ("cents",), 9)
    tagged = view("card", ["n"], keys={"card_id": Int64})
    tagged.tags = {**tagged.tags, "kept_rows": kept.tag}
    plan = read_plan("p", [tagged, LIMIT])
    fields = plan.keys[0].fields
    assert b"_rows:card" not in fields
    with_rows = plan.with_rows
    assert with_rows.keys[0].fields == (*fields[:3], b"_rows:card", *fields[3:])
    assert with_rows.views[0].kept == kept
    cells = [encode_time(SECOND), None, Value(int64_val=7).SerializeToString()]
    limit = [encode_time(SECOND), None, Value(int64_val=5).SerializeToString()]
    reads = with_rows.entity(iter([[*cells, b"rows", *limit]]), [None, None])
    assert (reads["card"].kept, reads["card"].values) == (b"rows", {"n": 7})
    assert (reads["limit"].kept, reads["limit"].values) == (None, {"limit": 5})
    assert plan.entity(iter([[*cells, *limit]]), [None, None])["card"].kept is None
    assert read_plan("p", [CARD]).with_rows == read_plan("p", [CARD])
