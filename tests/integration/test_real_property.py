"""The real listings: what is refused, windows against the raw rows, served as they are joined."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from feast import FeatureStore
from polars.testing import assert_frame_equal
from property_project import all_listings, make_property, offline, online

from feature_repo.store import open_feature_store
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.settings import Settings

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(600)]

EXPORT = date(2019, 5, 4)
CUT = datetime(2018, 3, 1, 12, tzinfo=UTC)
# One listing in so many is looked at.
SHARE = 40


@pytest.fixture(scope="module")
def file(real_data_dir: Path) -> Path:
    return real_data_dir / "spb_listings.csv"


@pytest.fixture(scope="module")
def built(file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, IngestReceipt]:
    return make_property(tmp_path_factory.mktemp("property"), file, export_date=EXPORT)


@pytest.fixture
def store(built: tuple[Settings, IngestReceipt], redis_environment: None) -> FeatureStore:
    """Its store, with nothing in Redis."""
    return open_feature_store(built[0])


@pytest.fixture(scope="module")
def listings(built: tuple[Settings, IngestReceipt]) -> pl.DataFrame:
    return all_listings(built[0])


@pytest.fixture(scope="module")
def raw(file: Path, listings: pl.DataFrame) -> pl.DataFrame:
    """The accepted rows as Polars reads the file, with the keys spelled out and when known."""
    rows = pl.read_csv(file.read_bytes(), infer_schema_length=None).rename({"": "listing_id"})
    listed = pl.col("first_day_exposition").str.to_datetime(time_zone="UTC")
    name = pl.col("locality_name").str.to_lowercase().str.replace_all("ё", "е")
    places = [pl.col(c) for c in ("cityCenters_nearest", "airports_nearest")]
    squares = {
        key: pl.when(pl.all_horizontal(place.is_not_null() for place in places))
        .then(pl.format("{} {} {}", name, *((place // size).cast(int) for place in places)))
        .otherwise(name)
        for key, size in (("district", 2_000), ("cell", 500))
    }
    taken_down = listed + pl.duration(days=pl.col("days_exposition"))
    return rows.join(listings, on="listing_id", how="semi").select(
        "listing_id",
        "days_exposition",
        event_timestamp=listed,
        known=taken_down.fill_null(datetime(2019, 5, 4, tzinfo=UTC)),
        price_m2=(pl.col("last_price") / pl.col("total_area")).round(mode="half_away_from_zero"),
        area=pl.col("total_area"),
        locality=name,
        **squares,
    )


def test_what_is_refused_and_why(built: tuple[Settings, IngestReceipt]) -> None:
    receipt = built[1]
    assert (receipt.rows_in, receipt.accepted, receipt.rejected) == (23_699, 23_555, 144)
    # Two rows have two reasons.
    assert receipt.rejected_by_reason == {
        "total_area:below_another": 64,
        "locality_id:null": 49,
        "ceiling_height:too_large": 29,
        "ceiling_height:too_small": 3,
        "last_price:too_small": 1,
    }


def test_two_localities_have_one_id_only_if_they_are_one(
    listings: pl.DataFrame, raw: pl.DataFrame
) -> None:
    both = listings.join(raw, on="listing_id")
    for key in ("locality", "district", "cell"):
        pairs = both.select(f"{key}_id", key).unique()
        assert pairs[f"{key}_id"].n_unique() == pairs[key].n_unique() == pairs.height
    assert both["locality"].n_unique() == 329
    assert both["cell"].n_unique() == 1_999


@pytest.mark.parametrize("key", ["locality", "district", "cell"])
def test_windows_at_publication_are_what_the_raw_rows_say(
    store: FeatureStore, listings: pl.DataFrame, raw: pl.DataFrame, key: str
) -> None:
    """Nothing is in them that became known at T or later."""
    chosen = listings.filter(pl.col("listing_id") % SHARE == 0)
    joined = offline(store, chosen)
    assert joined.height == chosen.height == 591
    probes = raw.join(chosen, on="listing_id", how="semi").select(
        "listing_id", key, t="event_timestamp"
    )
    found = probes.select("listing_id")
    for window, days in (("90d", 90), ("365d", 365)):
        held = probes.join(raw.drop("listing_id"), on=key).filter(
            pl.col("known") < pl.col("t"),
            pl.col("known") > pl.col("t") - pl.duration(days=days),
        )
        said = held.group_by("listing_id").agg(
            pl.len().cast(pl.Int64).alias(f"{key}_price_count_{window}"),
            pl.col("price_m2").mean().alias(f"{key}_price_m2_roubles_mean_{window}"),
            pl.col("price_m2").median().alias(f"{key}_price_m2_roubles_median_{window}"),
            pl.col("days_exposition").mean().alias(f"{key}_days_on_market_mean_{window}"),
        )
        found = found.join(said, on="listing_id", how="left")
    names = [name for name in found.columns if name != "listing_id"]
    counts = [name for name in names if "_count_" in name]
    ours = joined.select("listing_id", *names).with_columns(pl.col(counts).fill_null(0))
    theirs = found.sort("listing_id").with_columns(pl.col(counts).fill_null(0))
    assert ours[counts[-1]].sum() > 1_000
    assert_frame_equal(ours, theirs, rel_tol=1e-12)


def test_a_listing_is_described_with_its_expected_price(
    store: FeatureStore, listings: pl.DataFrame, raw: pl.DataFrame
) -> None:
    joined = offline(store, listings)
    assert joined.height == 23_555
    assert joined["total_area"].to_list() == raw.sort("listing_id")["area"].to_list()
    worth = joined["locality_price_m2_roubles_median_365d"] * joined["total_area"]
    assert (joined["locality_expected_price_365d"] - worth).abs().max() < 1e-3  # type: ignore[operator]
    shares = {n: 1 - joined[n].null_count() / joined.height for n in joined.columns}
    # The file has no flat that was taken down before June 2016: listings before then have none.
    assert raw.drop_nulls("days_exposition")["known"].min() == datetime(2016, 6, 16, tzinfo=UTC)
    assert 0.84 < shares["locality_expected_price_365d"] < 0.85
    assert 0.75 < shares["cell_expected_price_365d"] < 0.76
    assert shares["latitude"] == 0


def test_served_equals_joined_bit_for_bit(store: FeatureStore, listings: pl.DataFrame) -> None:
    later = listings.filter(pl.col("event_timestamp") > CUT).head(200)
    asked = later.with_columns(event_timestamp=pl.lit(CUT).cast(pl.Datetime("us", "UTC")))
    store.materialize(datetime(2014, 11, 1, tzinfo=UTC), CUT)
    served = online(store, asked, CUT)
    joined = offline(store, asked).drop("listing_id").to_dicts()
    assert served == joined
    assert sum(row["cell_price_m2_roubles_median_365d"] is not None for row in joined) > 100


def test_what_was_not_refreshed_differs_from_the_join(
    store: FeatureStore, listings: pl.DataFrame
) -> None:
    """The comparison can fail: Redis a month behind has other values than the join at T."""
    later = listings.filter(pl.col("event_timestamp") > CUT).head(50)
    asked = later.with_columns(event_timestamp=pl.lit(CUT).cast(pl.Datetime("us", "UTC")))
    store.materialize(datetime(2014, 11, 1, tzinfo=UTC), datetime(2018, 2, 1, tzinfo=UTC))
    joined = offline(store, asked).drop("listing_id").to_dicts()
    assert online(store, asked, CUT) != joined
