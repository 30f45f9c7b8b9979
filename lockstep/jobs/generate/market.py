"""Price bars of some assets: random walks whose volatility comes in clusters.

A bar's return is normal with a deviation that drifts from bar to bar: its logarithm goes
back to the usual level by a fiftieth each bar and is pushed by a normal draw, so that calm
and wild weeks alternate, as in real prices. Nothing in it can be predicted but the size of
the next move, unless an `edge` is planted: then each return is drawn towards the direction
of the last twelve, by that share of its deviation. A model must find an edge of .3, and
must find none of 0.

The same options give the same rows, in the columns of an exchange's export and `asset_id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.jobs.generate.errors import GenerateError
from lockstep.jobs.generate.limits import check_options
from lockstep.windows.duration import duration_us

_DAY_US = 86_400_000_000
_MEMORY = 12
_USUAL_DEVIATION = 0.01
_FIRST_PRICE = 10_000.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """The size of the simulation, and the seed that decides everything else.

    `missing` is the share of bars that are left out, `edge` the planted one, see above.

    Raises:
        GenerateError: a size below one, a negative seed, a share or an edge outside 0 to 1,
            or days outside 1970 to 2099.
        WindowSpecError: the interval is no length of time.
    """

    assets: int = 3
    days: int = 365
    interval: str = "4h"
    seed: int = 7
    start: date = date(2023, 1, 1)
    missing: float = 0.001
    edge: float = 0.0

    def __post_init__(self) -> None:
        check_options(self, sizes=("assets", "days"))
        for option in ("missing", "edge"):
            if not 0 <= getattr(self, option) <= 1:
                raise GenerateError.out_of_range(option, getattr(self, option), "0 to 1")
        if self.days * _DAY_US < duration_us(self.interval):
            raise GenerateError.out_of_range("interval", self.interval, "no longer than the days")


def generate(options: Options) -> pl.DataFrame:
    """All bars at once; see `generate_frames`."""
    return pl.concat(generate_frames(options))


def generate_frames(options: Options) -> Iterator[pl.DataFrame]:
    """The bars of one asset after another, each in order of time; `timestamp` is naive UTC."""
    interval = duration_us(options.interval)
    start = int(datetime.combine(options.start, datetime.min.time(), UTC).timestamp()) * 1_000_000
    times = start + interval * np.arange(options.days * _DAY_US // interval)
    for asset, seed in enumerate(np.random.SeedSequence(options.seed).spawn(options.assets), 1):
        draws = np.random.default_rng(seed)
        bars = _bars(draws, len(times), options.edge).insert_column(
            0, pl.Series("timestamp", times).cast(pl.Datetime("us"))
        )
        kept = pl.Series(draws.random(len(times)) >= options.missing)
        yield bars.filter(kept).with_columns(asset_id=pl.lit(asset, pl.Int64))


def _bars(draws: np.random.Generator, count: int, edge: float) -> pl.DataFrame:
    """Each opens where the last closed; prices are whole cents, of a cent at least."""
    deviation = _deviations(draws, count)
    closes = _FIRST_PRICE * np.cumprod(1 + _returns(draws, deviation, edge))
    opens = np.append(_FIRST_PRICE, closes[:-1])
    above, below = np.abs(draws.normal(0, deviation / 2, (2, count)))
    prices = {
        "open": opens,
        "high": np.maximum(opens, closes) * (1 + above),
        "low": np.minimum(opens, closes) * (1 - np.minimum(below, 0.5)),
        "close": closes,
    }
    cents = {name: np.maximum(np.round(price, 2), 0.01) for name, price in prices.items()}
    traded = draws.lognormal(7, 0.5, count) * deviation / _USUAL_DEVIATION
    return pl.DataFrame(cents | {"volume": np.round(traded, 6)})


def _deviations(draws: np.random.Generator, count: int) -> Floats:
    level, levels = 0.0, []
    for push in draws.normal(0, 0.12, count):
        level += push - level / 50
        levels.append(level)
    deviations: Floats = _USUAL_DEVIATION * np.exp(np.clip(levels, -3, 2))
    return deviations


def _returns(draws: np.random.Generator, deviation: Floats, edge: float) -> Floats:
    """Above -0.5 each; with an edge, in the direction of those before more often than not."""
    returns = np.zeros(len(deviation))
    for n, noise in enumerate(draws.normal(0, 1, len(deviation))):
        direction = np.sign(returns[max(n - _MEMORY, 0) : n].sum())
        returns[n] = max(deviation[n] * (noise + edge * direction), -0.5)
    return returns
