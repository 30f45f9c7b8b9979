"""Property: what will a flat that is published now be taken down at?"""

from __future__ import annotations

import polars as pl

from lockstep.contract.property import SCORED_EVENTS
from training.fit import FitParameters
from training.labelled_events import LabelledEvents
from training.split_rules import SplitRules
from training.tasks.quantiles import Quantiles
from training.use_case import UseCase

# The group of a split and what slices are made of stand beside the price.
labelled_listings = LabelledEvents(
    SCORED_EVENTS, "property/prices", "price_roubles", more=("building_id", "closed")
)

USE_CASE = UseCase(
    name="property",
    feature_service="property_v1",
    row_id=SCORED_EVENTS.row_id,
    labels_table=labelled_listings.labels_table,
    entity_rows=labelled_listings,
    task=Quantiles("roubles", baseline="locality_expected_price_365d"),
    split=SplitRules(test_days=90, validation_days=30, group="building_id"),
    parameters=FitParameters(iterations=1_500, depth=5, refit=True),
    block_days=7,
    slices={
        "taken down": pl.col("closed") == 1,
        "open at the export": pl.col("closed") == 0,
        "one room": pl.col("rooms") <= 1,
        "large": pl.col("total_area_dm2") >= 100_00,
        "nothing known of its cell": pl.col("cell_price_count_365d").fill_null(0) == 0,
    },
    # Better than the median of its locality, times its area.
    floors={"mape_below_baseline": 0.0},
)
