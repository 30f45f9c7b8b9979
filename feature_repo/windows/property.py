"""What flats of a locality, a district and a cell of it went for, and how many were published.

`<where>_prices` are prices that became known, `<where>_listings` flats that were published, over
90 and 365 days.
"""

from __future__ import annotations

from lockstep.windows.spec import Aggregation, WindowSpec

WINDOWS = ("90d", "365d")


def _prices(entity: str) -> WindowSpec:
    return WindowSpec(
        name=f"{entity}_prices",
        source="property/prices",
        entity=entity,
        entity_keys=(f"{entity}_id",),
        windows=WINDOWS,
        aggregations=(
            Aggregation("count", what="price"),
            Aggregation("mean", "price_m2_roubles"),
            Aggregation("median", "price_m2_roubles"),
            Aggregation("mean", "days_on_market", where="closed"),
        ),
    )


def _listings(entity: str) -> WindowSpec:
    return WindowSpec(
        name=f"{entity}_listings",
        source="property/listings",
        entity=entity,
        entity_keys=(f"{entity}_id",),
        windows=WINDOWS,
        aggregations=(
            Aggregation("count", what="listing"),
            Aggregation("mean", "total_area_dm2"),
        ),
    )


LOCALITY_PRICES = _prices("locality")
DISTRICT_PRICES = _prices("district")
CELL_PRICES = _prices("cell")
LOCALITY_LISTINGS = _listings("locality")
CELL_LISTINGS = _listings("cell")
WINDOW_SPECS = (LOCALITY_PRICES, DISTRICT_PRICES, CELL_PRICES, LOCALITY_LISTINGS, CELL_LISTINGS)
