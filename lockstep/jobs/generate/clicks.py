"""Simulated ad clicks in TalkingData's columns: skewed keys, and downloads that can be learned.

Few addresses, apps and channels have most clicks (Zipf). Busy addresses click and never
download; of the others it depends on the app and on the channel, some of which are far better
than the rest. A download is attributed seconds to hours after its click.
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
# Attributed later than that is nothing: it is the attribution window of the ingest.
_LATEST_SECONDS = 12 * 3_600
_SKEW = 1.1
_BUSY_SHARE = 0.02
_BASE_RATE = 0.06

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """The size of the simulation, its first day, and the seed that decides everything else.

    Raises:
        GenerateError: a size below one, a negative seed, or days outside 1970 to 2099.
    """

    clicks_a_day: int = 1_500
    days: int = 21
    addresses: int = 3_000
    apps: int = 40
    channels: int = 60
    seed: int = 7
    start: date = date(2017, 11, 6)

    def __post_init__(self) -> None:
        # The last clicks may be attributed on the day after.
        sizes = ("clicks_a_day", "days", "addresses", "apps", "channels")
        check_options(self, sizes=sizes, spare_days=1)


@dataclass(frozen=True)
class Market:
    """How often each is clicked, and how often a click leads to a download; the index is the id.

    `devices` and `systems` are those of each address.
    """

    address_shares: Floats
    app_shares: Floats
    channel_shares: Floats
    address_factors: Floats
    app_factors: Floats
    channel_factors: Floats
    devices: Ints
    systems: Ints

    @classmethod
    def draw(cls, rng: np.random.Generator, options: Options) -> Market:
        """Everything that stays the same over the days."""
        busy = np.arange(options.addresses) < _BUSY_SHARE * options.addresses
        return cls(
            address_shares=_zipf(options.addresses),
            app_shares=_zipf(options.apps),
            channel_shares=_zipf(options.channels),
            address_factors=np.where(busy, 0.02, rng.lognormal(0.0, 0.5, options.addresses)),
            app_factors=rng.lognormal(-0.5, 1.5, options.apps),
            channel_factors=rng.lognormal(-0.2, 0.8, options.channels),
            devices=rng.choice([1, 1, 1, 1, 2, 3], options.addresses),
            systems=rng.integers(0, 30, options.addresses),
        )


def generate_frames(options: Options) -> Iterator[pl.DataFrame]:
    """The clicks, a day at a time, in no order within it, as in the published sample.

    Times are naive UTC, whole seconds.
    """
    whole, *days = np.random.SeedSequence(options.seed).spawn(options.days + 1)
    market = Market.draw(np.random.default_rng(whole), options)
    for day, stream in enumerate(days):
        yield _clicks(np.random.default_rng(stream), market, day, options)


def _clicks(rng: np.random.Generator, market: Market, day: int, options: Options) -> pl.DataFrame:
    count = int(rng.poisson(options.clicks_a_day))
    address = rng.choice(options.addresses, count, p=market.address_shares)
    app = rng.choice(options.apps, count, p=market.app_shares)
    channel = rng.choice(options.channels, count, p=market.channel_shares)
    factors = market.address_factors[address] * market.app_factors[app]
    rate = _BASE_RATE * factors * market.channel_factors[channel]
    is_attributed = rng.random(count) < np.minimum(rate, 0.9)
    clicked = day * _DAY_SECONDS + rng.integers(0, _DAY_SECONDS, count)
    delay = np.minimum(2 + rng.lognormal(5.5, 2.0, count), _LATEST_SECONDS).astype(np.int64)
    start = datetime.combine(options.start, datetime.min.time())
    attributed = pl.when(pl.Series(is_attributed)).then(_instants(clicked + delay, start))
    return pl.DataFrame(
        {
            "ip": address,
            "app": app,
            "device": market.devices[address],
            "os": market.systems[address],
            "channel": channel,
            "click_time": _instants(clicked, start),
            "attributed_time": pl.select(attributed).to_series(),
            "is_attributed": is_attributed.astype(np.int64),
        }
    )


def _instants(seconds: Ints, start: datetime) -> pl.Series:
    return pl.Series(seconds * 1_000_000).cast(pl.Duration("us")) + start


def _zipf(count: int) -> Floats:
    weights = np.arange(1, count + 1) ** -_SKEW
    return np.asarray(weights / weights.sum())
