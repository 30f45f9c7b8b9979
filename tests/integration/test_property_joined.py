"""Generated flats, with coordinates: served as they are joined, and by their squares."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from property_project import all_listings, make_property, offline, online

from feature_repo.store import open_feature_store
from lockstep.jobs.generate.property import Options, generate_frames
from lockstep.jobs.generate.write import write_frames
from lockstep.settings import Settings

START = datetime(2023, 1, 1, tzinfo=UTC)
CUT = datetime(2023, 8, 1, 12, 30, tzinfo=UTC)
OPTIONS = Options(listings=1_500, localities=4, buildings=60, days=300, start=date(2023, 1, 1))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("property")
    write_frames(folder / "listings.parquet", generate_frames(OPTIONS))
    return make_property(folder, folder / "listings.parquet")[0]


@pytest.mark.usefixtures("redis_environment")
def test_served_equals_joined_bit_for_bit(built: Settings) -> None:
    store, flats = open_feature_store(built), all_listings(built)
    asked = flats.filter(pl.col("event_timestamp") > CUT).head(200)
    asked = asked.with_columns(event_timestamp=pl.lit(CUT).cast(pl.Datetime("us", "UTC")))
    store.materialize(START, CUT)
    joined = offline(store, asked).drop("listing_id").to_dicts()
    assert online(store, asked, CUT) == joined
    assert sum(row["cell_price_m2_roubles_median_365d"] is not None for row in joined) > 50
    assert sum(row["ceiling_height"] is None for row in joined) > 50


@pytest.mark.usefixtures("redis_environment")
def test_no_flat_finds_its_own_price_at_its_publication(built: Settings) -> None:
    """The first flat of all finds none, though it and its neighbours are closed in the lake."""
    first, *_ = offline(open_feature_store(built), all_listings(built).head(1)).to_dicts()
    assert first["locality_price_m2_roubles_median_365d"] is None
    assert not first["locality_price_count_365d"]


def test_flats_of_a_building_share_their_squares(built: Settings) -> None:
    flats = all_listings(built)
    squares = flats.group_by("building_id").agg(
        pl.col("cell_id", "district_id", "locality_id").n_unique()
    )
    assert squares.select(pl.all().exclude("building_id").max()).row(0) == (1, 1, 1)
    assert flats["district_id"].n_unique() < flats["cell_id"].n_unique()
