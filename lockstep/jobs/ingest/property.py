"""Flats for sale and the prices they went for, from a listing site's export.

A listing is known when it is published; its last price is that when it is taken down, so it is
not known before. One file becomes two tables, and a price never stands beside its listing. Of a
listing that was still open when the file was exported the price is what it was then, so a file
says when that was, or `export_date` does for all of its rows.

Localities have names in the file and numbers in the lake, see `lockstep.contract.name_id`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from lockstep.contract.property import ATTRIBUTES, NEVER_BELOW, NOT_STATED, SCORED_EVENTS
from lockstep.contract.property_cell import PLACE, place_ids
from lockstep.jobs.ingest.column import ARRIVAL, YEAR_2100_US, Column, ColumnType
from lockstep.jobs.ingest.spec import IngestSpec, OutputTable
from lockstep.windows.microseconds import microseconds

# What files have in square metres, metres and degrees, and the digits that are kept of it. They
# have the name without a unit: a column in other units is then not taken for one in these.
_MEASURED = {
    "total_area_dm2": ("total_area", 2),
    "living_area_dm2": ("living_area", 2),
    "kitchen_area_dm2": ("kitchen_area", 2),
    "ceiling_height_cm": ("ceiling_height", 2),
    "latitude_e6": ("latitude", 6),
    "longitude_e6": ("longitude", 6),
}
# Other names of files, in lower case.
_ALIASES = {
    "balconies": "balcony",
    "centre_m": "citycenters_nearest",
    "airport_m": "airports_nearest",
    "park_m": "parks_nearest",
    "parks_within_3km": "parks_around3000",
    "pond_m": "ponds_nearest",
    "ponds_within_3km": "ponds_around3000",
}
_FLAGS = ("is_apartment", "studio", "open_plan")
_MAX_DAYS = 3_650
_PLACE_IDS = {"cell_id": pl.Int64, "district_id": pl.Int64}
_DAY_US = 86_400_000_000
_KEYS = (*SCORED_EVENTS.entity_keys, "building_id")


def _in_file(name: str) -> str:
    return _MEASURED.get(name, (name, 0))[0]


def _attribute(name: str) -> Column:
    limits = ATTRIBUTES[name]
    kind: ColumnType = "flag" if name in _FLAGS else "decimal"
    return Column(
        _in_file(name),
        kind,
        minimum=limits.minimum,
        maximum=limits.maximum,
        scale=_MEASURED.get(name, (name, 0))[1],
        rounded=name in _MEASURED,
        nullable=not limits.required,
        required=limits.required,
        aliases=(_ALIASES[name],) if name in _ALIASES else (),
    )


COLUMNS = (
    # The published file has its row's number without a name.
    Column("listing_id", "integer", aliases=("", "id")),
    Column("listed_at", "timestamp", maximum=YEAR_2100_US - 1, aliases=("first_day_exposition",)),
    Column("locality_id", "name", aliases=("locality_name",)),
    Column("building_id", "decimal", nullable=True, required=False),
    *map(_attribute, ATTRIBUTES),
    # Below a hundred thousand roubles a price is one in thousands.
    Column("last_price", "decimal", minimum=100_000, maximum=10_000_000_000),
    Column("days_exposition", "decimal", maximum=_MAX_DAYS, nullable=True),
    # So many there are at the export; how many there were at publication it does not say.
    Column("total_images", "integer", nullable=True, required=False),
)


def ingest_spec(*, export_date: date | None = None) -> IngestSpec:
    """How listings are ingested; `export_date` is that of a file which has no `exported_at`.

    Prices are written first: a listing that is in the lake has its price there.
    """
    exported_at = Column(
        "exported_at",
        "timestamp",
        maximum=YEAR_2100_US - 1,
        required=export_date is None,
        default=None if export_date is None else microseconds(_midnight(export_date)),
    )
    return IngestSpec(
        use_case="property",
        columns=(*COLUMNS, exported_at, *ARRIVAL),
        headerless=(),
        key=("listing_id",),
        event_time="listed_at",
        tables=(
            OutputTable("property/prices", prices),
            OutputTable("property/listings", listings),
        ),
        rejected="property/listings_rejected",
        never_below=(
            *(tuple(map(_in_file, group)) for group in NEVER_BELOW),
            ("exported_at", "listed_at"),
        ),
    )


def listings(rows: pl.DataFrame) -> pl.DataFrame:
    """What was known when each flat was published; no price. What is not stated is -1."""
    return _placed(rows).select(
        "listing_id",
        _instant(pl.col("listed_at")).alias("event_timestamp"),
        _instant(pl.col("created_timestamp")),
        *_KEYS,
        *ATTRIBUTES,
    )


def prices(rows: pl.DataFrame) -> pl.DataFrame:
    """What became known of each flat's price: when it was taken down, else at the export.

    Of one that was open at the export `closed` is 0, and so is `days_on_market`, which counts
    where `closed` is 1 only. A square metre's price is rounded to whole roubles.
    """
    taken_down = pl.col("listed_at") + pl.col("days_exposition") * _DAY_US
    area, price = pl.col("total_area_dm2"), pl.col("last_price")
    return _placed(rows).select(
        "listing_id",
        _instant(pl.coalesce(taken_down, pl.max_horizontal("exported_at", "listed_at"))).alias(
            "event_timestamp"
        ),
        _instant(pl.col("created_timestamp")),
        *_KEYS,
        price.alias("price_roubles"),
        ((price * 100 + area // 2) // area).alias("price_m2_roubles"),
        pl.col("days_exposition").fill_null(0).alias("days_on_market"),
        pl.col("days_exposition").is_not_null().cast(pl.Int64).alias("closed"),
    )


def _placed(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their cells and districts; what is not stated of a flat is `NOT_STATED`."""
    stated = rows.with_columns(
        pl.col(_in_file(name)).fill_null(NOT_STATED).alias(name) for name in ATTRIBUTES
    )
    places = stated.select("locality_id", *PLACE).iter_rows(named=True)
    ids = pl.DataFrame([place_ids(**place) for place in places], schema=_PLACE_IDS)
    return pl.concat([stated, ids], how="horizontal")


def _instant(time_us: pl.Expr) -> pl.Expr:
    return time_us.cast(pl.Datetime("us", "UTC"))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
