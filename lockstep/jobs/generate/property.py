"""Flats for sale in the columns of a listing site's export, with prices that can be learned.

Localities lie around a city, and the nearer the dearer; each has buildings with coordinates, and
flats in them are published at any time. A square metre's price is that of its locality and
building on the day, times what floor, size and ceiling make of it, times some noise. What is
dear for what it is takes longer. Some flats are still open when the file is exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.jobs.generate.limits import check_options

_DAY_SECONDS = 86_400
_CITY = (55.75, 37.62)
_METRES_A_DEGREE = 111_320.0
# Localities are up to so far from the city, buildings from their locality, in metres.
_COUNTRY_M = 40_000.0
_LOCALITY_M = 1_500.0
_PRICE_M2 = 180_000.0
_YEARLY_TREND = 0.08
_NOISE = 0.07

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """The size of the simulation, its first day, and the seed that decides everything else.

    Raises:
        GenerateError: a size below one, a negative seed, or days outside 1970 to 2099.
    """

    listings: int = 8_000
    localities: int = 12
    buildings: int = 2_500
    days: int = 900
    seed: int = 7
    start: date = date(2022, 1, 1)

    def __post_init__(self) -> None:
        # The export is on the day after the last.
        sizes = ("listings", "localities", "buildings", "days")
        check_options(self, sizes=sizes, spare_days=1)


@dataclass(frozen=True)
class Buildings:
    """Where each is, how high, and the logarithm of a square metre's price; the index is the id."""

    locality: Ints
    east_m: Floats
    north_m: Floats
    floors: Ints
    ceiling: Floats
    level: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, options: Options) -> Buildings:
        """Everything that stays the same over the days."""
        centre = rng.uniform(-1, 1, (2, options.localities)) * _COUNTRY_M
        nearness = 1 - np.hypot(*centre) / (1.5 * _COUNTRY_M)
        of_locality = nearness + rng.normal(0.0, 0.15, options.localities)
        locality = rng.choice(options.localities, options.buildings, p=_shares(options.localities))
        offset = rng.normal(0.0, _LOCALITY_M, (2, options.buildings))
        return cls(
            locality=locality,
            east_m=centre[0][locality] + offset[0],
            north_m=centre[1][locality] + offset[1],
            floors=rng.choice([5, 5, 9, 12, 16, 25], options.buildings),
            ceiling=np.round(rng.uniform(2.5, 3.1, options.buildings), 2),
            level=of_locality[locality] + rng.normal(0.0, 0.12, options.buildings),
        )


def generate_frames(options: Options) -> Iterator[pl.DataFrame]:
    """One frame of listings, by time. Times are naive UTC, whole seconds."""
    rng = np.random.default_rng(options.seed)
    places = Buildings.draw(rng, options)
    seconds = np.sort(rng.integers(0, options.days * _DAY_SECONDS, options.listings))
    building = rng.integers(0, options.buildings, options.listings)
    flats = _flats(rng, places, building)
    noise = rng.normal(0.0, _NOISE, options.listings)
    price = np.exp(_log_worth(flats, places.level[building], seconds) + noise)
    days = 1 + rng.lognormal(4.0 + 4 * noise, 0.9).astype(np.int64)
    is_open = seconds + days * _DAY_SECONDS > options.days * _DAY_SECONDS
    start = datetime.combine(options.start, datetime.min.time())
    yield flats.select(
        pl.Series("listing_id", np.arange(options.listings)),
        (pl.Series(seconds * 1_000_000).cast(pl.Duration("us")) + start).alias(
            "first_day_exposition"
        ),
        (pl.lit("Town ") + pl.Series(places.locality[building] + 1).cast(pl.String)).alias(
            "locality_name"
        ),
        pl.Series("building_id", building),
        *_place(places, building),
        pl.all(),
        pl.Series("last_price", price.round(-4).astype(np.int64)),
        pl.when(~pl.Series(is_open)).then(pl.Series(days)).alias("days_exposition"),
        pl.lit(start).dt.offset_by(f"{options.days}d").alias("exported_at"),
    )


def _flats(rng: np.random.Generator, places: Buildings, building: Ints) -> pl.DataFrame:
    """What is stated of each flat; what sellers leave out is null."""
    count = len(building)
    rooms = rng.choice(5, count, p=(0.05, 0.35, 0.33, 0.2, 0.07))
    area = np.round(20 + 17 * rooms + rng.gamma(2.0, 4.0, count), 1)
    kitchen = np.round(6 + rng.uniform(0.0, 0.1, count) * area, 1)
    living = np.round((area - kitchen) * rng.uniform(0.6, 0.85, count), 1)
    return pl.DataFrame(
        {
            "total_area": area,
            "living_area": _stated(rng, living, share=0.9),
            "kitchen_area": _stated(rng, kitchen, share=0.9),
            "rooms": rooms,
            "floor": rng.integers(1, places.floors[building] + 1),
            "floors_total": places.floors[building],
            "ceiling_height": _stated(rng, places.ceiling[building], share=0.6),
            "studio": rooms == 0,
            "balcony": _stated(rng, rng.integers(0, 3, count), share=0.5),
        }
    )


def _log_worth(flats: pl.DataFrame, level: Floats, seconds: Ints) -> Floats:
    """The logarithm of a flat's price without noise."""
    area, floor = flats["total_area"].to_numpy(), flats["floor"].to_numpy()
    is_at_end = (floor == 1) | (floor == flats["floors_total"].to_numpy())
    years = seconds / (365 * _DAY_SECONDS)
    small = -0.1 * np.log(area / 50)
    worth = np.log(_PRICE_M2 * area) + level + _YEARLY_TREND * years + small - 0.06 * is_at_end
    return np.asarray(worth)


def _place(places: Buildings, building: Ints) -> list[pl.Series]:
    """Coordinates, and metres to the city, as its buildings have them."""
    east, north = places.east_m[building], places.north_m[building]
    latitude, longitude = _CITY
    a_degree_east = _METRES_A_DEGREE * np.cos(np.radians(latitude))
    return [
        pl.Series("latitude", np.round(latitude + north / _METRES_A_DEGREE, 6)),
        pl.Series("longitude", np.round(longitude + east / a_degree_east, 6)),
        pl.Series("cityCenters_nearest", np.hypot(east, north).astype(np.int64)),
    ]


def _stated(rng: np.random.Generator, values: Ints | Floats, *, share: float) -> pl.Series:
    """The values, that share of them at random and the others null."""
    is_stated = pl.Series(rng.random(len(values)) < share)
    return pl.select(pl.when(is_stated).then(pl.Series(values))).to_series()


def _shares(count: int) -> Floats:
    """Of some localities the first are the largest."""
    weights = 1 / np.arange(1, count + 1)
    return np.asarray(weights / weights.sum())
