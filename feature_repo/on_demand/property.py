"""A flat as a model reads it: what is stated, its shape, and what its area costs nearby."""

from __future__ import annotations

from typing import Any


def describe_flat(inputs: dict[str, Any]) -> dict[str, Any]:
    """What is stated of a flat, and the windows of where it is for its area.

    What is not stated, which is below zero in a request, is null, and so is all that needs it.
    Areas are in square metres, ceilings in metres, coordinates in degrees, prices in roubles.
    `listing_years` are years of 365.25 days since 2010. Lists in, lists out; arrays in, arrays
    out. Null is None in lists and NaN in arrays. Feast runs this source elsewhere: what it
    needs, it must define or import inside.
    """
    import numpy as np

    def stated(name: str, unit: float = 1.0) -> Any:
        values = np.asarray(inputs[name], dtype=np.float64)
        return np.where(values < 0, np.nan, values) / unit

    def known(name: str) -> Any:
        return np.asarray(inputs[name], dtype=np.float64)

    def over(of: Any, to: Any) -> Any:
        """Null where there is nothing to divide by."""
        ratio = np.full(len(of), np.nan)
        return np.divide(of, to, out=ratio, where=to > 0)

    def is_same(one: Any, other: Any) -> Any:
        return np.where(np.isnan(one) | np.isnan(other), np.nan, one == other)

    hundred = ("total_area_dm2", "living_area_dm2", "kitchen_area_dm2")
    total, living, kitchen = (stated(name, 100.0) for name in hundred)
    rooms, floor, floors = stated("rooms"), stated("floor"), stated("floors_total")
    outputs: dict[str, Any] = {
        "total_area": total,
        "living_area": living,
        "kitchen_area": kitchen,
        "room_count": rooms,
        "floor_number": floor,
        "floor_count": floors,
        "ceiling_height": stated("ceiling_height_cm", 100.0),
        "is_in_apartments": stated("is_apartment"),
        "is_studio": stated("studio"),
        "has_open_plan": stated("open_plan"),
        "balcony_count": stated("balconies"),
        "latitude": stated("latitude_e6", 1e6),
        "longitude": stated("longitude_e6", 1e6),
        "metres_to_centre": stated("centre_m"),
        "metres_to_airport": stated("airport_m"),
        "metres_to_park": stated("park_m"),
        "park_count": stated("parks_within_3km"),
        "metres_to_pond": stated("pond_m"),
        "pond_count": stated("ponds_within_3km"),
        "living_share": over(living, total),
        "kitchen_share": over(kitchen, total),
        # A studio is one room.
        "area_a_room": over(total, np.fmax(rooms, 1.0)),
        "floor_share": over(floor, floors),
        "is_first_floor": is_same(floor, np.ones(len(floor))),
        "is_last_floor": is_same(floor, floors),
        # 2010-01-01, and 365.25 days, in microseconds.
        "listing_years": (known("listing_time_us") - 1_262_304_000e6) / 31_557_600e6,
    }
    for window in ("90d", "365d"):
        medians = {}
        for entity in ("locality", "district", "cell"):
            medians[entity] = known(f"{entity}_price_m2_roubles_median_{window}")
            expected = medians[entity] * total
            outputs[f"{entity}_expected_price_{window}"] = expected
            outputs[f"{entity}_expected_log_price_{window}"] = np.log(expected)
        for entity in ("district", "cell"):
            ratio = over(medians[entity], medians["locality"])
            outputs[f"{entity}_to_locality_price_{window}"] = ratio
    if isinstance(inputs["total_area_dm2"], list):
        return {
            name: [None if value != value else value for value in column.tolist()]
            for name, column in outputs.items()
        }
    return outputs
