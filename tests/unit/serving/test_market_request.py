"""What may be asked about an asset: a candle is taken where, and as, ingestion would take it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockstep.contract.market import SCORED_EVENTS
from lockstep.jobs.ingest.check import PLACE, REASON, check
from lockstep.jobs.ingest.column import YEAR_2100_US, Problem
from lockstep.jobs.ingest.market import bars, ingest_spec
from lockstep.jobs.ingest.units import units
from lockstep.windows.microseconds import microseconds
from serving.use_cases.market import Candle, MarketEntities, MarketPrediction, MarketRequest

CANDLE: dict[str, Any] = {
    "open_time": "2024-01-31T20:00:00Z",
    "open": 100.5,
    "high": "103.25000000",
    "low": 99,
    "close": 101.000001,
    "volume": "0.250000",
}
END = datetime(2024, 2, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SPEC = ingest_spec(asset_id=1)
PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume")

# Near each other, so that one is often below another; and numbers that no bar can have.
near = st.integers(1, 9)
texts = st.builds("{}.{}".format, near, st.text("0123456789", max_size=9))
odd = st.sampled_from(["", "1e5", "-1", "0", "+3", ".5", "5.", ".", "1 0", "NaN", "x", "1_0", "٣"])
huge = st.sampled_from(["100000000", "100000000.000001", "1000000000", "1000000001", "9" * 30])
any_text = texts | odd | huge | near.map(str) | st.just("2.00000000000000001")
any_float = st.floats() | st.floats(0.5, 9) | near.map(float) | st.just(285.79999999999995)


def request(**fields: Any) -> MarketRequest:
    return MarketRequest.model_validate({"asset_id": 1, **fields})


def ingested(candle: dict[str, Any]) -> dict[str, Any] | None:
    """The row that the lake would have of it; None where it is refused."""
    place = dict.fromkeys(PLACE, 0)
    times = {"bar_close_us": candle["open_time"].replace("T", " ")}
    raw = pl.DataFrame([{**place, **times, **{name: candle[name] for name in NUMBERS}}])
    checked = check(raw, SPEC)
    if checked[REASON].item() is not None:
        return None
    return bars(checked).row(0, named=True)


def check_alike(candle: dict[str, Any]) -> None:
    expected = ingested(candle)
    try:
        row = request(candle=candle).fresh_row()
    except ValidationError:
        assert expected is None
        return
    assert expected is not None
    assert row is not None
    assert row.event_us == microseconds(expected["event_timestamp"])
    assert row.values == {name: expected[name] for name in row.values}


@given(st.fixed_dictionaries(dict.fromkeys(NUMBERS, any_text)))
def test_texts_are_always_taken_as_ingestion_takes_them(numbers: dict[str, str]) -> None:
    check_alike(CANDLE | numbers)


@given(st.fixed_dictionaries(dict.fromkeys(NUMBERS, any_float)))
def test_numbers_are_always_taken_as_ingestion_takes_them(numbers: dict[str, float]) -> None:
    check_alike(CANDLE | numbers)


@given(texts | any_float.filter(lambda x: 0 < x < 1e9))
def test_one_number_is_always_the_same_units(number: str | float) -> None:
    column = next(column for column in SPEC.columns if column.name == "volume")
    expected = ingested(CANDLE | {"volume": str(number), "open": "100", "low": "99", "close": "99"})
    found = units(str(number), column)
    assert isinstance(found, Problem) == (expected is None)
    if expected is not None:
        assert found == expected["volume_lots"]


def test_a_candle_is_a_row_of_the_lake_known_a_microsecond_after_its_end() -> None:
    asked = request(candle=CANDLE)
    assert asked.event_timestamp == END + TICK
    row = asked.fresh_row()
    assert row is not None
    assert row.event_us == microseconds(END)
    assert row.values == {
        "open_ticks": 100_500_000,
        "close_ticks": 101_000_001,
        "high_ticks": 103_250_000,
        "low_ticks": 99_000_000,
        "volume_lots": 250_000,
    }
    later = request(candle=CANDLE, event_timestamp="2024-02-01T01:00:00Z")
    assert later.event_timestamp == END + timedelta(hours=1)
    assert request().fresh_row() is None
    assert request().event_timestamp is None


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"high": 98}, "high", "high is below the open"),
        ({"high": 100.75}, "high", "high is below the close"),
        ({"open": 98.5}, "open", "open is below the low"),
        ({"close": 98.5}, "close", "close is below the low"),
        ({"low": 0}, "low", "too_small"),
        ({"close": -1.5}, "close", "too_small"),
        ({"volume": -0.25}, "volume", "too_small"),
        ({"open": 100.1234567}, "open", "too_precise"),
        ({"open": "100.12345678"}, "open", "too_precise"),
        ({"high": 2e8}, "high", "too_large"),
        ({"volume": "9" * 5000}, "volume", "not_a_number"),
        ({"volume": 10**400}, "volume", "too_large"),
        ({"volume": None}, "volume", "not_a_number"),
        ({"volume": True}, "volume", "not_a_number"),
        ({"volume": [1]}, "volume", "not_a_number"),
        ({"close": float("nan")}, "close", "not_a_number"),
        ({"close": float("inf")}, "close", "not_a_number"),
        ({"open_time": "2024-01-31T20:00:00"}, "open_time", "names no zone"),
        ({"open_time": "2024-01-31T20:00:00+02:00"}, "open_time", "is in zone"),
        ({"open_time": 1706731200}, "open_time", "expected a text"),
        ({"open_time": "2100-01-01T00:00:00Z"}, "open_time", "between 1970 and 2100"),
        ({"open_time": "1969-12-31T00:00:00Z"}, "open_time", "between 1970 and 2100"),
        ({"open_time": "9999-12-31T23:00:00Z"}, "open_time", "between 1970 and 2100"),
        ({"trades": 5}, "trades", "Extra inputs"),
    ],
)
def test_what_is_wrong_with_a_candle_is_told_by_field(
    wrong: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        request(candle=CANDLE | wrong)
    told = [error["msg"] for error in caught.value.errors() if error["loc"] == ("candle", field)]
    assert any(message in text for text in told)


def test_the_bounds_of_a_candles_time_are_those_of_ingestion() -> None:
    column = next(column for column in SPEC.columns if column.name == "bar_close_us")
    assert (column.minimum, column.maximum) == (0, YEAR_2100_US - 1)
    for begins in ("1969-12-31T20:00:00Z", "2099-12-31T16:00:00Z"):
        assert request(candle=CANDLE | {"open_time": begins}).candle is not None


@pytest.mark.parametrize("begins", ["2024-01-31T21:00:00Z", "2024-01-31T20:00:00.000001Z"])
def test_a_candle_of_another_interval_is_refused(begins: str) -> None:
    with pytest.raises(ValidationError, match="open_time is no beginning of 4h"):
        request(candle=CANDLE | {"open_time": begins})
    assert ingested(CANDLE | {"open_time": begins}) is None


@pytest.mark.parametrize("missing", CANDLE)
def test_a_candle_is_whole(missing: str) -> None:
    whole = {name: value for name, value in CANDLE.items() if name != missing}
    with pytest.raises(ValidationError, match=f"candle.{missing}"):
        request(candle=whole)


def test_t_is_not_before_the_candle_is_known() -> None:
    for t in (END, END - timedelta(hours=4)):
        with pytest.raises(ValidationError, match="event_timestamp\n.*before the candle is known"):
            request(candle=CANDLE, event_timestamp=t.isoformat().replace("+00:00", "Z"))


@pytest.mark.parametrize("value", [-1, 2**63, 1.0, "1", None, True])
def test_an_asset_has_a_whole_number(value: object) -> None:
    with pytest.raises(ValidationError, match="asset_id"):
        MarketRequest.model_validate({"asset_id": value})


def test_a_request_brings_what_batch_scoring_reads_from_the_lake() -> None:
    asked = request()
    assert tuple(asked.entity_ids()) == SCORED_EVENTS.entity_keys
    columns = (*SCORED_EVENTS.request_columns, SCORED_EVENTS.time_column)
    assert tuple(asked.request_values(0)) == columns
    decisions = get_args(MarketPrediction.model_fields["decision"].annotation)
    assert decisions == SCORED_EVENTS.decisions
    with pytest.raises(ValidationError, match="candle"):
        MarketEntities.model_validate({"asset_id": 1, "candle": CANDLE})


def test_the_schema_has_an_example_for_each_field_of_a_candle() -> None:
    schema = Candle.model_json_schema()
    assert list(schema["properties"]) == list(CANDLE)
    example = {name: field["examples"][0] for name, field in schema["properties"].items()}
    assert request(candle=example).candle is not None
