"""Ids of names and of places: always numbers that fit, the same for the same thing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.name_id import name_id
from lockstep.contract.property import ATTRIBUTES
from lockstep.contract.property_cell import CELL_M, DISTRICT_M, place_ids

latitudes, longitudes = (
    st.integers(ATTRIBUTES[name].minimum, ATTRIBUTES[name].maximum)
    for name in ("latitude_e6", "longitude_e6")
)
metres = st.integers(0, 200_000)
localities = st.integers(0, 2**53 - 1)
SIZES = {"cell_id": CELL_M, "district_id": DISTRICT_M}
_NOWHERE = {"latitude_e6": -1, "longitude_e6": -1, "centre_m": -1, "airport_m": -1}


@given(st.text())
def test_a_name_has_a_number_that_an_int64_holds(name: str) -> None:
    assert 0 <= name_id(name) < 2**53
    assert name_id(f"  {name} ") == name_id(name)


def test_ids_never_change() -> None:
    """They are in lakes and in Redis: another number would be another place."""
    assert name_id("Санкт-Петербург") == 8710840991827833
    assert place_ids(locality_id=1, **_NOWHERE)["cell_id"] == 1462905222975907


@pytest.mark.parametrize("same", ["КОРОЛЁВ", "Королев", "Короле\u0308в", " королёв\u00a0"])
def test_ways_of_writing_a_name_are_one(same: str) -> None:
    assert name_id(same) == name_id("Королёв")


@given(localities, localities, latitudes, longitudes)
def test_coordinates_decide_where_there_are_any(one: int, other: int, lat: int, lon: int) -> None:
    at = {"latitude_e6": lat, "longitude_e6": lon}
    here = place_ids(locality_id=one, **(_NOWHERE | at))
    assert here == place_ids(locality_id=other, **at, centre_m=5, airport_m=7)
    assert all(0 <= number < 2**53 for number in here.values())


@pytest.mark.parametrize("key", SIZES)
@given(latitudes, longitudes, st.sampled_from([(1, 0), (-1, 0), (0, 1), (0, -1)]))
def test_a_flat_more_than_a_cell_away_is_in_another(
    key: str, lat: int, lon: int, direction: tuple[int, int]
) -> None:
    # A cell's width is that at its row's middle; a hundredth is more than it varies by.
    away = SIZES[key] * 1.01 / 111_320 * 1e6
    north, east = direction
    there = {
        "latitude_e6": lat + round(north * away),
        "longitude_e6": lon + round(east * away / math.cos(math.radians(lat / 1e6))),
    }
    if min(there.values()) >= 0:
        here = place_ids(locality_id=1, **(_NOWHERE | {"latitude_e6": lat, "longitude_e6": lon}))
        assert here[key] != place_ids(locality_id=1, **(_NOWHERE | there))[key]


@pytest.mark.parametrize(("key", "size"), SIZES.items())
@given(localities, metres, metres)
def test_distances_decide_within_a_locality(
    key: str, size: int, locality: int, centre: int, airport: int
) -> None:
    at = _NOWHERE | {"centre_m": centre, "airport_m": airport}
    here = place_ids(locality_id=locality, **at)[key]
    corner = {"centre_m": centre // size * size, "airport_m": airport // size * size}
    assert here == place_ids(locality_id=locality, **(at | corner))[key]
    assert here != place_ids(locality_id=locality, **(at | {"centre_m": centre + size}))[key]
    assert here != place_ids(locality_id=locality ^ 1, **at)[key]


@given(localities, metres)
def test_half_a_place_is_the_whole_locality(locality: int, half: int) -> None:
    whole = place_ids(locality_id=locality, **_NOWHERE)
    for name in _NOWHERE:
        assert place_ids(locality_id=locality, **(_NOWHERE | {name: half})) == whole
