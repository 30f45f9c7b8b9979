"""Records there and back, and what is no record."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lockstep.contract.fraud_records import RECORD_SCHEMAS, TRANSACTIONS, VERDICTS
from lockstep.contract.record_schema import RecordField, RecordSchema
from lockstep.stream.codec import Codec

TIME = pl.Datetime("us", "UTC")
CODEC = Codec(TRANSACTIONS)
ANY = RecordSchema("t", "a", "a", (RecordField("a"), RecordField("b", "time")))
int64 = st.integers(-(2**63), 2**63 - 1)


def payments(count: int) -> pl.DataFrame:
    n = pl.int_range(count, eager=True)
    return pl.DataFrame(
        {
            "transaction_id": n,
            "event_timestamp": (n + 1_000_000).cast(TIME),
            "created_timestamp": (n + 2_000_000).cast(TIME),
            "customer_id": n % 7,
            "terminal_id": n % 5,
            "amount_cents": n * 10,
        }
    )


@given(st.lists(st.tuples(int64, int64), max_size=20), st.randoms(use_true_random=False))
def test_what_is_written_is_always_read_again(rows: list[tuple[int, int]], random: object) -> None:
    codec = Codec(ANY)
    table = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    table = table.with_columns(pl.col("b").cast(TIME))
    for told in (codec.encode(table), codec.encode_json(table)):
        read = codec.decode(told)
        assert_frame_equal(read.rows, table, check_exact=True)
        assert (read.places.tolist(), read.refused) == (list(range(len(rows))), {})
    compact, text = codec.encode(table), codec.encode_json(table)
    mixed = [random.choice(pair) for pair in zip(compact, text, strict=True)]  # type: ignore[attr-defined]
    assert_frame_equal(codec.decode(mixed).rows, table, check_exact=True)


@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(0, 8))
def test_what_is_no_record_never_keeps_others_from_being_read(poison: list[bytes], at: int) -> None:
    good = payments(10)
    records = CODEC.encode(good)
    # The mark is four bytes: that random ones are it has a chance of one in 4,000 million.
    read = CODEC.decode([*records[:at], *poison, *records[at:]])
    assert_frame_equal(read.rows, good, check_exact=True)
    assert sorted(read.refused) == list(range(at, at + len(poison)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"amount_cents": -1}, "amount_cents"),
        ({"amount_cents": 10**11 + 1}, "amount_cents"),
        ({"transaction_id": None}, "transaction_id"),
        ({"customer_id": "7"}, "customer_id"),
        ({"customer_id": 7.5}, "customer_id"),
        ({"event_timestamp": 2**63}, "event_timestamp"),
        ({"password": 1}, "password"),
    ],
)
def test_json_that_is_not_what_is_declared_is_refused_with_its_field(
    change: dict[str, object], told: str
) -> None:
    first, second = CODEC.encode_json(payments(2))
    broken = json.dumps(json.loads(first) | change).encode()
    read = CODEC.decode([broken, second])
    assert told in read.refused[0]
    assert (read.places.tolist(), read.rows["transaction_id"].to_list()) == ([1], [1])


@pytest.mark.parametrize("text", [b"{", b"{}", b"{}{}", b"[1]", b"", b'{"a":1},{"a":2}'])
def test_broken_json_is_refused(text: bytes) -> None:
    read = CODEC.decode([*CODEC.encode_json(payments(1)), text])
    assert (read.rows.height, list(read.refused)) == (1, [1])


def test_two_objects_in_one_record_and_none_in_the_next_are_two_faults() -> None:
    """Together they would be a list of two: the second would be read as the first."""
    one, two = CODEC.encode_json(payments(2))
    read = CODEC.decode([one + b"," + two, b"{"])
    assert (read.rows.height, sorted(read.refused)) == (0, [0, 1])


def test_compact_values_outside_of_their_bounds_are_refused_one_by_one() -> None:
    table = payments(4)
    wrong = table.with_columns(
        pl.when(transaction_id=2).then(-5).otherwise("amount_cents").alias("amount_cents")
    )
    read = CODEC.decode(CODEC.encode(wrong))
    assert read.refused == {2: "amount_cents is -5, which is outside of its bounds"}
    assert read.rows["transaction_id"].to_list() == [0, 1, 3]


def test_records_of_another_schema_are_refused() -> None:
    names = {field.name for field in VERDICTS.fields}
    verdicts = payments(2).rename({"amount_cents": "fraud"}).drop("customer_id")
    assert set(verdicts.columns) == names
    read = CODEC.decode(Codec(VERDICTS).encode(verdicts))
    assert read.rows.is_empty()
    assert all("bytes" in told or "not a record" in told for told in read.refused.values())
    assert len({schema.mark for schema in RECORD_SCHEMAS}) == len(RECORD_SCHEMAS)


def test_an_empty_batch_has_the_columns() -> None:
    assert CODEC.decode([]).rows.columns == list(TRANSACTIONS.names)
