"""What may be told of a flat: it is placed and described where, and as, ingestion would do it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockstep.contract.name_id import name_id
from lockstep.contract.property import ATTRIBUTES, NOT_STATED, SCORED_EVENTS
from lockstep.contract.property_cell import PLACE
from lockstep.jobs.ingest.check import PLACE as FILE_PLACE
from lockstep.jobs.ingest.check import REASON, check
from lockstep.jobs.ingest.property import _MEASURED, ingest_spec, listings
from serving.use_cases.property import PropertyEntities, PropertyEstimate, PropertyRequest

SPEC = ingest_spec()
TOWN = "посёлок Шушары"
GOOD: dict[str, Any] = {"locality": TOWN, "total_area_dm2": 4_040}
T_US = 1_700_000_000_000_000
REST = {
    "listing_id": 1,
    "listed_at": datetime(2023, 1, 1, tzinfo=UTC),
    "last_price": 5_000_000,
    "days_exposition": 30,
    "exported_at": datetime(2023, 6, 1, tzinfo=UTC),
}


def _around(name: str) -> st.SearchStrategy[int | None]:
    """Null, good values and those next to the limits, on both sides of them."""
    low, high = ATTRIBUTES[name].minimum, ATTRIBUTES[name].maximum
    edges = st.sampled_from([low - 1, low, low + 1, high - 1, high, high + 1])
    return st.none() | st.integers(low, high) | st.integers(low, min(high, low + 900)) | edges


flats = st.fixed_dictionaries({name: _around(name) for name in ATTRIBUTES})


def request(**fields: Any) -> PropertyRequest:
    return PropertyRequest.model_validate_json(json.dumps(GOOD | fields))


def refused(fields: dict[str, Any]) -> list[str]:
    """The fields that are complained of."""
    with pytest.raises(ValidationError) as caught:
        PropertyRequest.model_validate_json(json.dumps(fields))
    return [".".join(map(str, error["loc"])) for error in caught.value.errors()]


def ingested(locality: str, flat: dict[str, Any]) -> dict[str, Any] | None:
    """The row that the lake would have of it; None where it is refused."""
    row: dict[str, Any] = {**dict.fromkeys(FILE_PLACE, 0), **REST, "locality_id": locality}
    for name, value in flat.items():
        in_file, digits = _MEASURED.get(name, (name, 0))
        row[in_file] = None if value is None else value / 10**digits
    schema = dict.fromkeys((_MEASURED.get(name, (name, 0))[0] for name in flat), pl.Float64)
    checked = check(pl.DataFrame([row], schema_overrides=schema), SPEC)
    return None if checked[REASON].item() else listings(checked).row(0, named=True)


@given(flats)
def test_a_flat_is_always_taken_as_ingestion_takes_it(flat: dict[str, Any]) -> None:
    flags = ("is_apartment", "studio", "open_plan")
    expected = ingested(TOWN, {n: v for n, v in flat.items() if n not in flags})
    try:
        asked = request(**flat)
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors()}
        assert expected is None or wrong <= set(flags)
        return
    assert expected is not None
    assert asked.entity_ids() == {name: expected[name] for name in SCORED_EVENTS.entity_keys}
    told = asked.request_values(T_US)
    assert told.pop(SCORED_EVENTS.time_column) == T_US
    assert told == {
        name: (NOT_STATED if flat[name] is None else flat[name])
        if name in flags
        else expected[name]
        for name in ATTRIBUTES
    }


@given(st.text(max_size=200))
def test_a_name_is_always_taken_as_ingestion_takes_it(name: str) -> None:
    expected = ingested(name, {"total_area_dm2": 4_040})
    if expected is None:
        assert refused(GOOD | {"locality": name}) == ["locality"]
    else:
        assert request(locality=name).entity_ids()["locality_id"] == expected["locality_id"]


@given(flats)
def test_null_is_always_the_same_as_nothing(flat: dict[str, Any]) -> None:
    stated = {name: value for name, value in flat.items() if value is not None}
    try:
        asked = request(**flat)
    except ValidationError:
        with pytest.raises(ValidationError):
            request(**(stated if flat["total_area_dm2"] is not None else flat))
        return
    assert asked.entity_ids() == request(**stated).entity_ids()
    assert asked.request_values(T_US) == request(**stated).request_values(T_US)
    assert all((told == NOT_STATED) == (flat[n] is None) for n, told in _told(asked).items())


def _told(asked: PropertyRequest) -> dict[str, int]:
    return {name: asked.request_values(T_US)[name] for name in ATTRIBUTES}


def test_a_locality_is_the_same_by_its_name_and_by_its_id() -> None:
    place = {"latitude_e6": 59_800_000, "longitude_e6": 30_370_000}
    by_id = request(locality=None, locality_id=name_id(TOWN), **place)
    assert by_id.entity_ids() == request(**place).entity_ids()
    assert request(locality=" ПОСЕЛОК  шушары").entity_ids() == request().entity_ids()
    assert request(locality="Пушкин").entity_ids() != request().entity_ids()
    zero = {"total_area_dm2": 4_040, "locality_id": 0}
    assert PropertyRequest.model_validate(zero).entity_ids()["locality_id"] == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"total_area_dm2": -1}, "total_area_dm2"),
        ({"total_area_dm2": 0}, "total_area_dm2"),
        ({"total_area_dm2": None}, "total_area_dm2"),
        ({"total_area_dm2": 4_040.0}, "total_area_dm2"),
        ({"total_area_dm2": "4040"}, "total_area_dm2"),
        ({"total_area_dm2": True}, "total_area_dm2"),
        ({"total_area_dm2": 10**40}, "total_area_dm2"),
        ({"rooms": NOT_STATED}, "rooms"),
        ({"studio": True}, "studio"),
        ({"latitude_e6": 40_999_999}, "latitude_e6"),
        ({"latitude_e6": 30_370_000, "longitude_e6": 59_800_000}, "latitude_e6"),
        ({"longitude_e6": 180_000_001}, "longitude_e6"),
        ({"floor": 6, "floors_total": 5}, "floors_total"),
        ({"living_area_dm2": 4_041}, "total_area_dm2"),
        ({"kitchen_area_dm2": 4_041}, "total_area_dm2"),
        ({"living_area_dm2": 3_000, "kitchen_area_dm2": 1_041}, "total_area_dm2"),
        ({"locality": None}, "locality"),
        ({"locality_id": 5}, "locality"),
        ({"locality": ""}, "locality"),
        ({"locality": " \t\u00a0"}, "locality"),
        ({"locality": "ш" * 201}, "locality"),
        ({"locality": "ш" * 10_000}, "locality"),
        ({"locality": 5}, "locality"),
        ({"locality": None, "locality_id": -1}, "locality_id"),
        ({"locality": None, "locality_id": 2**63}, "locality_id"),
        ({"locality": None, "locality_id": True}, "locality_id"),
        ({"listing_id": -1}, "listing_id"),
        ({"listing_id": "7"}, "listing_id"),
        ({"cell_id": 5}, "cell_id"),
        ({"building_id": 5}, "building_id"),
        ({"price_roubles": 5}, "price_roubles"),
        ({"event_timestamp": "2023-01-01"}, "event_timestamp"),
    ],
)
def test_what_is_wrong_is_told_by_field(wrong: dict[str, Any], field: str) -> None:
    assert refused(GOOD | wrong) == [field]


@pytest.mark.parametrize("missing", GOOD)
def test_a_flat_is_somewhere_and_of_some_size(missing: str) -> None:
    assert refused({n: v for n, v in GOOD.items() if n != missing}) == [missing]


def test_parts_may_make_up_the_whole() -> None:
    assert request(living_area_dm2=3_000, kitchen_area_dm2=1_040, floor=5, floors_total=5)


def test_a_request_brings_what_batch_scoring_reads_from_the_lake() -> None:
    asked = request()
    assert set(asked.entity_ids()) == set(SCORED_EVENTS.entity_keys)
    columns = (*SCORED_EVENTS.request_columns, SCORED_EVENTS.time_column)
    assert tuple(asked.request_values(0)) == columns


def test_a_place_is_asked_for_by_what_says_where_it_is() -> None:
    fields = ("event_timestamp", "locality", "locality_id", *PLACE)
    assert set(PropertyEntities.model_fields) == set(fields)
    place = {"locality": TOWN, "centre_m": 18_603, "airport_m": 12_817}
    entities = PropertyEntities.model_validate(place)
    assert entities.entity_ids() == request(**place).entity_ids()
    with pytest.raises(ValidationError, match="total_area_dm2"):
        PropertyEntities.model_validate(GOOD)
    with pytest.raises(ValidationError, match="locality\n.*expected one of"):
        PropertyEntities.model_validate({"centre_m": 5})


def test_the_examples_of_the_schema_are_a_request() -> None:
    properties = PropertyRequest.model_json_schema()["properties"]
    shown = {name: told["examples"][0] for name, told in properties.items() if "examples" in told}
    assert request(**shown).locality == TOWN
    for name, limits in ATTRIBUTES.items():
        told = properties[name]
        number = told if limits.required else told["anyOf"][0]
        assert (number["minimum"], number["maximum"]) == (limits.minimum, limits.maximum)
        assert told["description"]
    assert properties["park_m"]["description"] == "Park, in metres; null where it is not stated."
    assert set(PropertyEstimate.model_fields) >= {"listing_id", "value", "low", "high", "coverage"}
