"""Flats: what is stated of one, and what others nearby went for."""

from __future__ import annotations

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

from feature_repo.on_demand.property import describe_flat
from feature_repo.step_view import step_view
from feature_repo.windows.property import (
    CELL_LISTINGS,
    CELL_PRICES,
    DISTRICT_PRICES,
    LOCALITY_LISTINGS,
    LOCALITY_PRICES,
    WINDOWS,
)
from lockstep.contract.property import SCORED_EVENTS
from lockstep.windows.spec import WindowSpec

locality = Entity(
    name="locality",
    join_keys=["locality_id"],
    value_type=ValueType.INT64,
    description="A city, town or village; the id of its name.",
)
district = Entity(
    name="district",
    join_keys=["district_id"],
    value_type=ValueType.INT64,
    description="A part of it of about 2 km.",
)
cell = Entity(
    name="cell",
    join_keys=["cell_id"],
    value_type=ValueType.INT64,
    description="A micro-location of about 500 m.",
)


def _view(spec: WindowSpec, entity: Entity, description: str) -> FeatureView:
    return step_view(spec, entity=entity, max_age=timedelta(days=2), description=description)


locality_prices = _view(LOCALITY_PRICES, locality, "Prices that became known in a locality.")
district_prices = _view(DISTRICT_PRICES, district, "Prices that became known in a district.")
cell_prices = _view(CELL_PRICES, cell, "Prices that became known in a cell.")
locality_listings = _view(LOCALITY_LISTINGS, locality, "Flats that were published in a locality.")
cell_listings = _view(CELL_LISTINGS, cell, "Flats that were published in a cell.")

listing = RequestSource(
    name="listing",
    schema=[
        Field(name=name, dtype=Int64)
        for name in (*SCORED_EVENTS.request_columns, SCORED_EVENTS.time_column)
    ],
    description="The flat: whole units, -1 where something is not stated; T in microseconds UTC.",
)


def _medians(view: FeatureView, spec: WindowSpec) -> FeatureView:
    return view[[name for name in spec.features() if "_median_" in name]]


_STATED = (
    "total_area",
    "living_area",
    "kitchen_area",
    "room_count",
    "floor_number",
    "floor_count",
    "ceiling_height",
    "is_in_apartments",
    "is_studio",
    "has_open_plan",
    "balcony_count",
    "latitude",
    "longitude",
    "metres_to_centre",
    "metres_to_airport",
    "metres_to_park",
    "park_count",
    "metres_to_pond",
    "pond_count",
)
_SHAPE = (
    "living_share",
    "kitchen_share",
    "area_a_room",
    "floor_share",
    "is_first_floor",
    "is_last_floor",
    "listing_years",
)
_WORTH = (
    "locality_expected_price",
    "locality_expected_log_price",
    "district_expected_price",
    "district_expected_log_price",
    "cell_expected_price",
    "cell_expected_log_price",
    "district_to_locality_price",
    "cell_to_locality_price",
)
described_flat = on_demand_feature_view(
    name="described_flat",
    sources=[
        _medians(locality_prices, LOCALITY_PRICES),
        _medians(district_prices, DISTRICT_PRICES),
        _medians(cell_prices, CELL_PRICES),
        listing,
    ],
    schema=[
        Field(name=name, dtype=Float64)
        for name in (*_STATED, *_SHAPE, *(f"{n}_{w}" for n in _WORTH for w in WINDOWS))
    ],
    mode="python",
    tags={"columns": "numpy"},
    description="What is stated of a flat, its shape, and what its area costs nearby.",
)(describe_flat)


# Not in it: how many flats were published. An export that lacks those that were taken down early
# has the fewer the longer ago, and a model reads that as time.
property_v1 = FeatureService(
    name="property_v1",
    features=[
        locality_prices[list(LOCALITY_PRICES.features())],
        district_prices[list(DISTRICT_PRICES.features())],
        cell_prices[list(CELL_PRICES.features())],
        described_flat,
    ],
    description="What the model of flat prices reads, in its order.",
)
