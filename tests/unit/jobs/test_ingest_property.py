"""Listings and prices out of a listing site's export."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_listings import CLOSED, FAR, HEADER, OPEN, changed, write_listings

from lockstep.contract.name_id import name_id
from lockstep.contract.property import ATTRIBUTES, SCORED_EVENTS
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.property import ingest_spec
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

EXPORT = date(2019, 5, 4)
NO_PARTS = {"living_area": "", "kitchen_area": ""}
MIDNIGHT = datetime(2019, 5, 4, tzinfo=UTC)


def taken(path: Path, lake: Lake, *, export_date: date | None = EXPORT) -> IngestReceipt:
    return ingest(ingest_spec(export_date=export_date), path, lake=lake, max_rejected_share=1.0)


def stored(lake: Lake, name: str) -> pl.DataFrame:
    return lake.table(f"property/{name}").scan().collect().sort("listing_id")


def files(lake: Lake) -> dict[str, bytes]:
    return {key: lake.read_bytes(key) for key in lake.list("property/") if "/day=" in key}


def test_a_listing_has_no_price_and_a_price_is_known_when_the_flat_is_taken_down(
    tmp_path: Path,
) -> None:
    lake = Lake.at(tmp_path / "lake")
    assert taken(write_listings(tmp_path / "a.csv", [OPEN, CLOSED, FAR]), lake).accepted == 3
    listings, prices = stored(lake, "listings"), stored(lake, "prices")
    assert not {"price_roubles", "price_m2_roubles", "days_on_market"} & set(listings.columns)
    known = {SCORED_EVENTS.row_id, *SCORED_EVENTS.entity_keys, *SCORED_EVENTS.request_columns}
    assert known <= set(listings.columns)
    assert prices.select(
        "event_timestamp", "price_roubles", "price_m2_roubles", "days_on_market", "closed"
    ).rows() == [
        (MIDNIGHT, 13_000_000, 120_370, 0, 0),
        (datetime(2019, 2, 23, tzinfo=UTC), 3_350_000, 82_921, 81, 1),
        (datetime(2018, 2, 1, tzinfo=UTC), 900_000, 27_027, 30, 1),
    ]


def test_a_row_by_hand(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    taken(write_listings(tmp_path / "a.csv", [CLOSED]), lake)
    (row,) = stored(lake, "listings").to_dicts()
    assert row["locality_id"] == name_id("Поселок  шушары")
    assert row["event_timestamp"] == datetime(2018, 12, 4, tzinfo=UTC)
    assert {name: row[name] for name in ATTRIBUTES} == {
        "total_area_dm2": 4_040,
        "living_area_dm2": 1_860,
        "kitchen_area_dm2": 1_100,
        "rooms": 1,
        "floor": 1,
        "floors_total": 11,
        "ceiling_height_cm": -1,
        "is_apartment": -1,
        "studio": 0,
        "open_plan": 0,
        "balconies": 2,
        "latitude_e6": -1,
        "longitude_e6": -1,
        "centre_m": 18_603,
        "airport_m": 12_817,
        "park_m": -1,
        "parks_within_3km": 0,
        "pond_m": -1,
        "ponds_within_3km": 0,
    }


@pytest.mark.parametrize(
    ("written", "area"), [("18.6049", 1_860), ("18.606", 1_861), ("18", 1_800)]
)
def test_what_was_measured_is_rounded_to_a_unit(tmp_path: Path, written: str, area: int) -> None:
    lake = Lake.at(tmp_path / "lake")
    taken(write_listings(tmp_path / "a.csv", [changed(CLOSED, {"living_area": written})]), lake)
    assert stored(lake, "listings")["living_area_dm2"].to_list() == [area]


@pytest.mark.parametrize(
    ("written", "flag"),
    [("True", 1), ("false", 0), ("1", 1), ("0", 0), ("", -1)],
)
def test_flags_are_read_in_every_way_they_are_written(
    tmp_path: Path, written: str, flag: int
) -> None:
    lake = Lake.at(tmp_path / "lake")
    taken(write_listings(tmp_path / "a.csv", [changed(OPEN, {"is_apartment": written})]), lake)
    assert stored(lake, "listings")["is_apartment"].to_list() == [flag]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"total_area": "-40.4"} | NO_PARTS, "total_area:too_small"),
        ({"total_area": "0"} | NO_PARTS, "total_area:too_small"),
        ({"total_area": "0"}, "total_area:too_small; total_area:below_another"),
        ({"total_area": ""}, "total_area:null"),
        ({"total_area": "big"}, "total_area:not_a_number"),
        ({"living_area": "30.0"}, "total_area:below_another"),
        ({"living_area": "50.0", "kitchen_area": ""}, "total_area:below_another"),
        ({"ceiling_height": "27.0"}, "ceiling_height:too_large"),
        ({"ceiling_height": "1.2"}, "ceiling_height:too_small"),
        ({"floor": "12"}, "floors_total:below_another"),
        ({"floor": "0"}, "floor:too_small"),
        ({"floors_total": "11.5"}, "floors_total:too_precise"),
        ({"studio": "maybe"}, "studio:not_a_flag"),
        ({"studio": "2"}, "studio:too_large"),
        ({"locality_name": "  "}, "locality_id:null"),
        ({"first_day_exposition": ""}, "listed_at:null"),
        ({"last_price": "12190.0"}, "last_price:too_small"),
        ({"last_price": ""}, "last_price:null"),
        ({"days_exposition": "-1"}, "days_exposition:too_small"),
        ({"cityCenters_nearest": "-1"}, "centre_m:too_small"),
    ],
)
def test_a_bad_row_is_kept_aside(tmp_path: Path, values: dict[str, str], reason: str) -> None:
    lake = Lake.at(tmp_path / "lake")
    bad = changed(CLOSED, {"": "9"} | values)
    receipt = taken(write_listings(tmp_path / "a.csv", [OPEN, bad, FAR]), lake)
    each = dict.fromkeys(reason.split("; "), 1)
    assert (receipt.accepted, dict(receipt.rejected_by_reason)) == (2, each)
    kept = RejectedTable(lake, "property/listings_rejected").scan().collect()
    assert kept.select("row_number", "reason").rows() == [(2, reason)]


@pytest.mark.parametrize(
    ("latitude", "longitude", "reasons"),
    [
        ("55.75", "37.62", set()),
        ("", "", set()),
        # Swapped, on the equator, and beyond the 180th meridian.
        ("37.62", "55.75", {"latitude:too_small"}),
        ("0", "37.62", {"latitude:too_small"}),
        ("65.0", "-170.0", {"longitude:too_small"}),
        ("95.0", "200", {"latitude:too_large", "longitude:too_large"}),
    ],
)
def test_coordinates_outside_the_declared_region_are_refused(
    tmp_path: Path, latitude: str, longitude: str, reasons: set[str]
) -> None:
    lake = Lake.at(tmp_path / "lake")
    lines = [f"{CLOSED},{latitude},{longitude}"]
    path = write_listings(tmp_path / "a.csv", lines, header=f"{HEADER},latitude,longitude")
    assert set(taken(path, lake).rejected_by_reason) == reasons


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace(",rooms", ",..rooms"), r"unknown columns \['..rooms'\]"),
        (f"..{HEADER}", r"unknown columns \['..'\]"),
        (f"listing_id{HEADER},id", r"columns \['listing_id'\] more than once"),
        (HEADER.replace("total_images", "listing_id"), r"columns \['listing_id'\] more than once"),
        (HEADER.replace("last_price", "price"), r"unknown columns \['price'\]"),
        (HEADER.replace("total_area", "total_area_dm2"), r"unknown columns \['total_area_dm2'\]"),
        (HEADER.replace("last_price", "latitude"), r"lacks the columns \['last_price'\]"),
    ],
)
def test_other_columns_are_refused(tmp_path: Path, header: str, message: str) -> None:
    line = f"{CLOSED},1" if header.endswith(",id") else CLOSED
    with pytest.raises(IngestError, match=message):
        taken(write_listings(tmp_path / "a.csv", [line], header=header), Lake.at(tmp_path / "lake"))
    assert Lake.at(tmp_path / "lake").list("") == []


def test_a_file_that_does_not_say_when_it_was_exported_needs_the_option(tmp_path: Path) -> None:
    path = write_listings(tmp_path / "a.csv", [OPEN])
    with pytest.raises(IngestError, match=r"lacks the columns \['exported_at'\]"):
        taken(path, Lake.at(tmp_path / "lake"), export_date=None)


def test_an_export_before_the_publication_is_refused(tmp_path: Path) -> None:
    path = write_listings(
        tmp_path / "a.csv", [f"{OPEN},2019-03-06 00:00:00"], header=f"{HEADER},exported_at"
    )
    receipt = taken(path, Lake.at(tmp_path / "lake"))
    assert receipt.rejected_by_reason == {"exported_at:below_another": 1}


def test_a_text_where_a_locality_has_a_number_is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "listing_id": [1],
            "first_day_exposition": [datetime(2019, 1, 1)],
            "locality_name": [5],
            "total_area": [40.0],
            "last_price": [3_000_000],
            "days_exposition": [3],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(IngestError, match=r"'locality_id' .*expected text"):
        taken(tmp_path / "a.parquet", Lake.at(tmp_path / "lake"))


def test_the_first_of_two_rows_with_one_id_counts(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    other = changed(CLOSED, {"last_price": "9990000.0"})
    receipt = taken(write_listings(tmp_path / "a.csv", [CLOSED, CLOSED, other]), lake)
    assert (receipt.accepted, receipt.rejected_by_reason) == (1, {"duplicate_id": 2})
    assert stored(lake, "prices")["price_roubles"].to_list() == [3_350_000]


def test_a_listing_that_closes_is_a_correction_of_a_later_export(tmp_path: Path) -> None:
    lake, header = Lake.at(tmp_path / "lake"), f"{HEADER},exported_at,created_timestamp"
    closed = changed(OPEN, {"days_exposition": "90", "last_price": "12500000.0"})
    for name, line in (
        ("a", f"{OPEN},2019-05-04 00:00:00,2019-05-04 00:00:00"),
        ("b", f"{closed},2019-07-01 00:00:00,2019-07-01 00:00:00"),
    ):
        receipt = taken(write_listings(tmp_path / f"{name}.csv", [line], header=header), lake)
        assert receipt.accepted == 1
    facts = stored(lake, "prices").sort("created_timestamp", "is_deleted", descending=[False, True])
    assert facts.select("price_roubles", "closed", "is_deleted").rows() == [
        (13_000_000, 0, False),
        (13_000_000, 0, True),
        (12_500_000, 1, False),
    ]


@settings(max_examples=20)  # each is three ingests
@given(st.permutations([OPEN, CLOSED, FAR, changed(FAR, {"": "7"})]), st.integers(0, 3))
def test_neither_order_nor_repetition_matters(lines: list[str], repeated: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, other = Lake.at(f"{folder}/one"), Lake.at(f"{folder}/other")
        taken(write_listings(Path(folder) / "a.csv", sorted(lines)), one)
        again = write_listings(Path(folder) / "b.csv", [*lines, lines[repeated]])
        assert taken(again, other).duplicates == 1
        assert files(other) == files(one)
        before = files(one)
        assert taken(again, one).already_there == len(lines)
        assert files(one) == before
