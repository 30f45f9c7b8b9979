"""Which columns the core takes, and how it refuses the others."""

from __future__ import annotations

import polars as pl
import pytest
from histories import COUNT, FAR, MINUTE, TIME, frame, spec_of
from polars.datatypes import DataType, DataTypeClass
from step_oracle import Row

from lockstep.windows.errors import EventsError
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.steps import steps

ROWS = frame([Row(1, t, t, 0) for t in range(3)])


def built(events: pl.DataFrame, *aggregations: Aggregation) -> pl.DataFrame:
    return steps(events, spec_of(*aggregations), end=instant_at(FAR))


def keyed(events: pl.DataFrame, key: str) -> pl.DataFrame:
    spec = WindowSpec("w", "s", "e", (key,), ("1m",), (COUNT, Aggregation("distinct", key)))
    return steps(events, spec, end=instant_at(FAR))


def test_ids_of_64_bits_can_be_counted_and_be_keys() -> None:
    ids = pl.Series("id", [2**64 - 1, 2**63, 2**64 - 1], dtype=pl.UInt64)
    events = ROWS.with_columns(ids)
    table = built(events, Aggregation("distinct", "id"))
    assert table["key_id_distinct_5m"].to_list()[:3] == [1, 2, 2]
    assert keyed(events, "id")["id"].unique().sort().to_list() == [2**63, 2**64 - 1]


def test_a_key_may_have_any_name() -> None:
    assert keyed(ROWS.rename({"key": "rank"}), "rank").columns[0] == "rank"


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt8, pl.Int16, pl.UInt32])
def test_sums_of_small_integers_leave_their_bits(kind: DataType | DataTypeClass) -> None:
    events = ROWS.with_columns(value=pl.lit(127).cast(kind))
    table = built(events, Aggregation("sum", "value"), Aggregation("std", "value"))
    assert table.select("key_value_sum_5m", "key_value_std_5m").row(2) == (381, 0.0)


@pytest.mark.parametrize("function", ["min", "max", "median", "last"])
def test_values_that_are_not_added_may_be_large(function: str) -> None:
    events = pl.concat([ROWS, ROWS]).with_columns(value=pl.lit(2**61))
    table = built(events, Aggregation(function, "value"))
    assert table[f"key_value_{function}_5m"].max() == 2**61


@pytest.mark.parametrize("function", ["sum", "min"])
def test_values_beyond_63_bits_are_refused(function: str) -> None:
    large = ROWS.with_columns(value=pl.lit(2**63, dtype=pl.UInt64))
    with pytest.raises(EventsError, match="reaches 9,223,372,036,854,775,808"):
        built(large, Aggregation(function, "value"))


@pytest.mark.parametrize("kind", [pl.Int128, pl.UInt128, pl.Float64])
def test_a_value_is_an_integer_of_at_most_64_bits(kind: DataType | DataTypeClass) -> None:
    with pytest.raises(EventsError, match="at most 64 bits"):
        built(ROWS.with_columns(value=pl.lit(1).cast(kind)), Aggregation("sum", "value"))


def test_a_filter_is_never_text() -> None:
    with pytest.raises(EventsError, match="'shop' is String"):
        built(ROWS.with_columns(shop=pl.lit("a")), Aggregation("distinct", "shop", where="shop"))


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["1"]), pl.Binary, pl.Float32])
def test_a_key_is_an_integer_or_text(kind: DataType | DataTypeClass) -> None:
    with pytest.raises(EventsError, match="expected an integer or text"):
        keyed(ROWS.with_columns(id=pl.lit("1").cast(kind)), "id")


def test_times_that_no_calendar_has_are_refused() -> None:
    with pytest.raises(EventsError, match="before the year 1"):
        built(ROWS.with_columns(event_timestamp=pl.lit(-(2**63) + 1).cast(TIME)), COUNT)


def test_times_before_1970_are_as_good_as_any() -> None:
    long_ago = -(10**15) // MINUTE * MINUTE
    rows = [Row(1, long_ago + t * MINUTE, long_ago + t * MINUTE, 1) for t in range(3)]
    counts = [built(frame(each), COUNT)["key_event_count_2m"] for each in (rows, _now(rows))]
    assert counts[0].equals(counts[1])


def _now(rows: list[Row]) -> list[Row]:
    first = rows[0].event
    return [r._replace(event=r.event - first, created=r.created - first) for r in rows]
