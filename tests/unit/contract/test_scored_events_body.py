"""The body of a request for an event of the lake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.property import NOT_STATED
from lockstep.contract.property import SCORED_EVENTS as FLATS
from lockstep.contract.property_cell import place_ids
from lockstep.contract.scored_events import ScoredEvents
from serving.use_cases.property import PropertyRequest

EVENTS = ScoredEvents("a/b", "id", ("place_id", "part_id"), ("size", "height"), "time_us", ())
ROW = {"id": 1, "place_id": 2, "part_id": 3, "size": -1, "height": 5, "price": 9}


def test_a_body_has_the_keys_and_what_is_known_at_t() -> None:
    assert EVENTS.body(ROW) == {"place_id": 2, "part_id": 3, "size": -1, "height": 5}


def test_a_body_leaves_out_what_follows_from_the_rest_and_what_is_not_stated() -> None:
    events = replace(EVENTS, derived_keys=("part_id",), not_stated=-1)
    assert events.body(ROW) == {"place_id": 2, "height": 5}
    assert replace(EVENTS, not_stated=0).body(ROW) == EVENTS.body(ROW)


def _flat(**values: int) -> dict[str, Any]:
    stated = dict.fromkeys(FLATS.request_columns, NOT_STATED) | values
    place = {n: stated[n] for n in ("latitude_e6", "longitude_e6", "centre_m", "airport_m")}
    return {**stated, "locality_id": 7, **place_ids(locality_id=7, **place)}


@given(
    st.fixed_dictionaries(
        {"total_area_dm2": st.integers(5_00, 1_000_00)},
        optional={
            "rooms": st.integers(0, 30),
            "floor": st.integers(1, 200),
            "latitude_e6": st.integers(41_000_000, 82_000_000),
            "longitude_e6": st.integers(19_000_000, 180_000_000),
            "centre_m": st.integers(0, 200_000),
            "airport_m": st.integers(0, 200_000),
        },
    )
)
def test_the_api_always_makes_the_row_of_a_flats_body_again(values: dict[str, int]) -> None:
    row = _flat(**values)
    asked = PropertyRequest.model_validate(FLATS.body(row))
    assert asked.entity_ids() | asked.request_values(5) == {**row, FLATS.time_column: 5}
