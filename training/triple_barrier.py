"""What a position that is opened after each bar earns, and whether it was right to open it.

Source: Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 3, on prices at
which one can trade: the next bar's open to enter; to leave the barrier itself, or the open of a
bar that begins beyond it, or the close of the last bar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockstep.contract.targets import Ints
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from training.operating_points import Bools, Floats
from training.use_case import LABEL, LABEL_KNOWN_AT

HOLD, BUY, SELL = range(3)
BUY_RETURN, SELL_RETURN = "buy_return", "sell_return"


@dataclass(frozen=True)
class Barriers:
    """A position is held for at most `horizon` bars, between two barriers around its entry.

    They lie as far away as prices usually move in that time, and what it costs to trade: the
    deviation of the last `deviation_bars` returns times the root of the horizon, plus twice
    `cost`, the share that each of two trades costs. `least_bars` of these returns must be
    known.
    """

    horizon: int = 18
    deviation_bars: int = 100
    least_bars: int = 90
    cost: float = 0.001


def triple_barrier(bars: pl.DataFrame, interval_us: int, barriers: Barriers) -> pl.DataFrame:
    """The rows of one asset's `bars` for which it is known how a position after them ended.

    `bars` have event_timestamp (a bar's end), created_timestamp and open, high, low and
    close in ticks, in the order of time. Added are `label`: 1 where the upper barrier was
    reached first, 2 where it was the lower one, else 0; `buy_return` and `sell_return`, what a
    long and a short position earned after costs, as a share of the stake; and
    `label_known_at`, when the last bar of the horizon was known, whatever was reached before:
    else the newest labels would all be moves. A bar that reaches both barriers is label 0,
    and has each position lose. Bars without a whole deviation before them, or with a gap in the
    horizon after them, are left out.
    """
    known = bars.with_columns(
        _deviation(barriers, interval_us).alias("__deviation"),
        *(
            pl.col(name).shift(-barriers.horizon).alias(f"__last_{name}")
            for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP)
        ),
    )
    horizon = pl.duration(microseconds=barriers.horizon * interval_us)
    whole = (pl.col(f"__last_{EVENT_TIMESTAMP}") - pl.col(EVENT_TIMESTAMP) == horizon).fill_null(
        value=False
    )
    usable = (whole & pl.col("__deviation").is_not_null()).alias("__usable")
    known = known.with_columns(usable)
    starts = known.get_column("__usable").arg_true().to_numpy()
    label, long, short = _ended(known, starts, barriers)
    last = pl.max_horizontal(f"__last_{EVENT_TIMESTAMP}", _last_created(barriers))
    return (
        known.with_columns(last.alias(LABEL_KNOWN_AT))
        .filter("__usable")
        .with_columns(
            pl.Series(LABEL, label),
            pl.Series(BUY_RETURN, long),
            pl.Series(SELL_RETURN, short),
        )
        .select(pl.exclude("^__.*$"))
    )


def _deviation(barriers: Barriers, interval_us: int) -> pl.Expr:
    """Of the returns up to each bar; over the horizon, as a share of the price."""
    returns = pl.col("close_ticks") / pl.col("close_ticks").shift(1) - 1
    deviation = returns.rolling_std_by(
        EVENT_TIMESTAMP,
        window_size=f"{barriers.deviation_bars * interval_us}us",
        min_samples=barriers.least_bars,
    )
    return deviation * float(np.sqrt(barriers.horizon))


def _last_created(barriers: Barriers) -> pl.Expr:
    """When the last of the bars of each horizon was created."""
    created = pl.col(CREATED_TIMESTAMP)
    return pl.max_horizontal(created.shift(-ahead) for ahead in range(1, barriers.horizon + 1))


def _ended(bars: pl.DataFrame, starts: Ints, barriers: Barriers) -> tuple[Ints, Floats, Floats]:
    """Labels, and what long and short positions after the bars `starts` earned."""
    opens, highs, lows, closes = (
        bars.get_column(f"{name}_ticks").cast(pl.Float64).to_numpy()
        for name in ("open", "high", "low", "close")
    )
    width = bars.get_column("__deviation").to_numpy()[starts] + 2 * barriers.cost
    entry = opens[starts + 1]
    upper, lower = entry * (1 + width), entry * (1 - width)
    label = np.zeros(len(starts), np.int64)
    left_long, left_short = (closes[starts + barriers.horizon].copy() for _ in range(2))
    is_open: Bools = np.ones(len(starts), np.bool_)
    for bar in (starts + ahead for ahead in range(1, barriers.horizon + 1)):
        rose, fell = is_open & (highs[bar] >= upper), is_open & (lows[bar] <= lower)
        up, down = rose & ~fell, fell & ~rose
        label[up], label[down] = BUY, SELL
        left_long[up], left_short[down] = upper[up], lower[down]
        # One that stops a loss trades at the open where the bar began beyond the barrier.
        left_long[fell] = np.minimum(lower, opens[bar])[fell]
        left_short[rose] = np.maximum(upper, opens[bar])[rose]
        is_open &= ~(rose | fell)
    cost = barriers.cost
    long = left_long * (1 - cost) / (entry * (1 + cost)) - 1
    short = (entry * (1 - cost) - left_short * (1 + cost)) / entry
    return label, long, short
