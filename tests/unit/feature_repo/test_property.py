"""A flat as a model reads it, for columns as for one request, and windows that hold no future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.definitions.property import described_flat, property_v1
from feature_repo.on_demand.property import describe_flat
from feature_repo.windows.property import LOCALITY_PRICES, WINDOW_SPECS
from lockstep.contract.property import ATTRIBUTES, NOT_STATED
from lockstep.jobs.ingest.property import COLUMNS, prices
from lockstep.stores.asof import join_as_of
from lockstep.windows.microseconds import microseconds
from lockstep.windows.steps import steps

MEDIANS = [
    f"{entity}_price_m2_roubles_median_{window}"
    for entity in ("locality", "district", "cell")
    for window in ("90d", "365d")
]
DAY_US = 86_400_000_000
FLAT = {
    "total_area_dm2": 4_000,
    "living_area_dm2": 2_000,
    "kitchen_area_dm2": 1_000,
    "rooms": 2,
    "floor": 5,
    "floors_total": 5,
    "studio": 0,
    "latitude_e6": 55_750_000,
    "centre_m": 16_028,
}


def inputs(flat: dict[str, int], medians: list[float | None], t_us: int = 0) -> dict[str, Any]:
    stated = dict.fromkeys(ATTRIBUTES, NOT_STATED) | flat
    given_ = stated | {"listing_time_us": t_us} | dict(zip(MEDIANS, medians, strict=True))
    return {name: [value] for name, value in given_.items()}


def test_a_flat_by_hand() -> None:
    years = microseconds(datetime(2014, 1, 1, tzinfo=UTC))
    medians = [100_000.0, 90_000.0, None, 45_000.0, 120_000.0, None]
    found = describe_flat(inputs(FLAT, medians, years))
    values = {name: value for name, (value,) in found.items()}
    assert values["total_area"] == 40
    assert (values["living_share"], values["kitchen_share"]) == (0.5, 0.25)
    assert (values["area_a_room"], values["floor_share"]) == (20, 1)
    assert (values["is_first_floor"], values["is_last_floor"]) == (0, 1)
    assert (values["is_studio"], values["has_open_plan"]) == (0, None)
    assert (values["latitude"], values["longitude"]) == (55.75, None)
    assert values["listing_years"] == 4
    assert values["locality_expected_price_90d"] == 4_000_000
    assert values["cell_expected_price_90d"] == 4_800_000
    assert values["cell_expected_log_price_90d"] == pytest.approx(np.log(4_800_000))
    assert values["cell_to_locality_price_90d"] == 1.2
    assert values["district_to_locality_price_365d"] == 0.5
    assert values["cell_to_locality_price_365d"] is values["cell_expected_price_365d"] is None


def test_what_is_not_stated_is_null_and_so_is_all_that_needs_it() -> None:
    found = describe_flat(inputs({"total_area_dm2": 4_000}, [None] * 6))
    stated = {name for name, (value,) in found.items() if value is not None}
    # Of a flat whose rooms are not stated all of it is one room.
    assert stated == {"total_area", "area_a_room", "listing_years"}


flats = st.fixed_dictionaries(
    {
        name: st.integers(one.minimum, one.maximum)
        | (st.nothing() if one.required else st.just(NOT_STATED))
        for name, one in ATTRIBUTES.items()
    }
)
all_medians = st.lists(st.none() | st.floats(100.0, 1e9), min_size=6, max_size=6)


@given(st.lists(st.tuples(flats, all_medians, st.integers(0, 2**52)), max_size=4))
def test_arrays_give_the_numbers_that_lists_give(
    rows: list[tuple[dict[str, int], list[float | None], int]],
) -> None:
    columns: dict[str, list[Any]] = {name: [] for name in inputs({}, [None] * 6)}
    for flat, known, t_us in rows:
        for name, (value,) in inputs(flat, known, t_us).items():
            columns[name].append(value)
    floats = {name: np.array(columns[name], dtype=np.float64) for name in MEDIANS}
    whole = {name: np.array(columns[name], np.int64) for name in columns if name not in floats}
    as_lists, as_arrays = describe_flat(columns), describe_flat(floats | whole)
    assert set(as_lists) == set(as_arrays) == {field.name for field in described_flat.features}
    for name, column in as_lists.items():
        nulls = np.array([np.nan if value is None else value for value in column], np.float64)
        np.testing.assert_array_equal(as_arrays[name], nulls)
        assert not np.isinf(as_arrays[name]).any()


def test_the_service_reads_every_view_of_prices_and_no_listings() -> None:
    read = {projection.name for projection in property_v1.feature_view_projections}
    of_prices = {spec.name for spec in WINDOW_SPECS if spec.source == "property/prices"}
    assert read == of_prices | {"described_flat"}


listed = st.lists(
    st.tuples(
        st.integers(0, 400), st.none() | st.integers(0, 300), st.integers(100_000, 9_000_000)
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60)
@given(listed, st.integers(0, 800))
def test_no_window_holds_a_price_that_became_known_later(
    flats: list[tuple[int, int | None, int]], day: int
) -> None:
    """At T the windows are those of the prices known before T alone, others or none after it."""
    start, export = datetime(2018, 1, 1, tzinfo=UTC), 500
    rows = pl.DataFrame(
        {
            "listing_id": range(len(flats)),
            "listed_at": [microseconds(start) + day * DAY_US for day, _, _ in flats],
            "days_exposition": pl.Series([days for _, days, _ in flats], dtype=pl.Int64),
            "last_price": [price for _, _, price in flats],
        }
    ).with_columns(
        pl.col("listed_at").alias("created_timestamp"),
        pl.lit(microseconds(start) + export * DAY_US).alias("exported_at"),
        *(pl.lit(None, pl.Int64).alias(c.name) for c in COLUMNS if c.nullable and not c.required),
        pl.lit(5_000).alias("total_area"),
        pl.lit(7).alias("locality_id"),
    )
    t = start + timedelta(days=day)
    probe = pl.DataFrame({"locality_id": [7], "event_timestamp": [t]}).with_columns(
        pl.col("event_timestamp").cast(pl.Datetime("us", "UTC"))
    )
    table = steps(prices(rows), LOCALITY_PRICES, end=start + timedelta(days=2_000))
    (found,) = join_as_of(probe, table, keys=("locality_id",)).to_dicts()
    for window, length in (("90d", 90), ("365d", 365)):
        held = [
            (price + 25) // 50
            for at, days, price in flats
            if day - length < (export if days is None else at + days) < day
        ]
        assert (found[f"locality_price_count_{window}"] or 0) == len(held)
        median = found[f"locality_price_m2_roubles_median_{window}"]
        assert median == (np.median(held) if held else None)
