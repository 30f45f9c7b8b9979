"""Flat prices: what a flat that is published now will be taken down at."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.contract.scored_events import ScoredEvents

# What a listing does not say: a request's columns are whole numbers, never null.
NOT_STATED = -1


@dataclass(frozen=True)
class Attribute:
    """What a listing says of a flat, in whole units, and the limits that make sense of it.

    The limits are inclusive. Where it is not `required` it may be `NOT_STATED`.
    """

    minimum: int
    maximum: int
    required: bool = False


# Areas are in hundredths of a square metre, coordinates in millionths of a degree.
ATTRIBUTES = {
    "total_area_dm2": Attribute(5_00, 1_000_00, required=True),
    "living_area_dm2": Attribute(1_00, 1_000_00),
    "kitchen_area_dm2": Attribute(1_00, 1_000_00),
    "rooms": Attribute(0, 30),
    "floor": Attribute(1, 200),
    "floors_total": Attribute(1, 200),
    # Below 1.8 m nobody stands; 27 m are 2.7 m whose point was lost.
    "ceiling_height_cm": Attribute(180, 600),
    "is_apartment": Attribute(0, 1),
    "studio": Attribute(0, 1),
    "open_plan": Attribute(0, 1),
    "balconies": Attribute(0, 20),
    # The declared region is Russia west of the 180th meridian: swapped coordinates are outside.
    "latitude_e6": Attribute(41_000_000, 82_000_000),
    "longitude_e6": Attribute(19_000_000, 180_000_000),
    "centre_m": Attribute(0, 200_000),
    "airport_m": Attribute(0, 200_000),
    "park_m": Attribute(0, 200_000),
    "parks_within_3km": Attribute(0, 100),
    "pond_m": Attribute(0, 200_000),
    "ponds_within_3km": Attribute(0, 100),
}
# Of each the first is at least the sum of the others, where all are stated.
NEVER_BELOW = (
    ("total_area_dm2", "living_area_dm2", "kitchen_area_dm2"),
    ("total_area_dm2", "living_area_dm2"),
    ("total_area_dm2", "kitchen_area_dm2"),
    ("floors_total", "floor"),
)

SCORED_EVENTS = ScoredEvents(
    table="property/listings",
    row_id="listing_id",
    entity_keys=("locality_id", "district_id", "cell_id"),
    request_columns=tuple(ATTRIBUTES),
    time_column="listing_time_us",
    decisions=(),
    derived_keys=("district_id", "cell_id"),
    not_stated=NOT_STATED,
)
