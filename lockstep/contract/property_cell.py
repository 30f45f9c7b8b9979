"""The micro-location of a flat: a cell of about 500 m, and a district of about 2 km.

By coordinates where there are any: rows of one size, and in each as many degrees a cell as make
that size at its own latitude. Else by the distances to the centre and to the airport: two flats
of a locality that have about the same of both are near each other, or on the two sides of the
line between them. Else the locality as a whole is the cell.
"""

from __future__ import annotations

import math
from functools import lru_cache

from lockstep.contract.name_id import name_id

CELL_M = 500
DISTRICT_M = 2_000
# What says where a flat is, beside its locality.
PLACE = ("latitude_e6", "longitude_e6", "centre_m", "airport_m")
# A degree of latitude on a sphere with the equator's circumference.
_DEGREE_M = 111_320


def place_ids(
    *, locality_id: int, latitude_e6: int, longitude_e6: int, centre_m: int, airport_m: int
) -> dict[str, int]:
    """`cell_id` and `district_id`, from 0 to 2^53 - 1, in ingest and for a request alike.

    Coordinates are in millionths of a degree. What is not stated is negative; a coordinate or
    a distance means something only where its partner is stated too.

    >>> place = {"locality_id": 7, "latitude_e6": -1, "longitude_e6": -1}
    >>> near = place_ids(**place, centre_m=16_028, airport_m=18_863)
    >>> near == place_ids(**place, centre_m=16_100, airport_m=18_900)
    True
    >>> farther = place_ids(**place, centre_m=16_600, airport_m=18_900)
    >>> near["cell_id"] == farther["cell_id"], near["district_id"] == farther["district_id"]
    (False, True)
    """

    def square(size_m: int) -> int:
        if latitude_e6 >= 0 and longitude_e6 >= 0:
            row = latitude_e6 // _height_e6(size_m)
            return _number(f"coordinates {row} {int(longitude_e6 // _width_e6(row, size_m))}")
        if centre_m >= 0 and airport_m >= 0:
            return _number(f"distances {locality_id} {centre_m // size_m} {airport_m // size_m}")
        return _number(f"locality {locality_id}")

    return {"cell_id": square(CELL_M), "district_id": square(DISTRICT_M)}


def _height_e6(size_m: int) -> int:
    return round(size_m / _DEGREE_M * 1_000_000)


def _width_e6(row: int, size_m: int) -> float:
    """That of a row's cells: more degrees the nearer to the pole, at the row's middle."""
    height = _height_e6(size_m)
    return height / math.cos(math.radians((row + 0.5) * height / 1_000_000))


@lru_cache(maxsize=100_000)
def _number(name: str) -> int:
    return name_id(name)
