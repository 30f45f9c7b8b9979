"""Labels and earnings against a walk over the bars, one position at a time."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_rows import START

from training.triple_barrier import (
    BUY,
    BUY_RETURN,
    HOLD,
    SELL,
    SELL_RETURN,
    Barriers,
    triple_barrier,
)

HOUR = timedelta(hours=1)
HOUR_US = 3_600_000_000
FEW = Barriers(horizon=4, deviation_bars=6, least_bars=4, cost=0.001)


def bars_of(
    closes: list[float], *, reach: float = 0.0, gaps: tuple[int, ...] = (), jump: float = 0.0
) -> pl.DataFrame:
    """Hourly bars that reach so far beyond both ends.

    Every third opens `jump` above where the last closed, the others where it closed.
    """
    opens = [close * (1 + jump * (n % 3 == 0)) for n, close in enumerate([closes[0], *closes[:-1]])]
    pairs = list(zip(opens, closes, strict=True))
    frame = pl.DataFrame(
        {
            "bar_id": range(len(closes)),
            "event_timestamp": [START + n * HOUR for n in range(len(closes))],
            "created_timestamp": [START + n * HOUR for n in range(len(closes))],
            "open_ticks": opens,
            "high_ticks": [max(pair) * (1 + reach) for pair in pairs],
            "low_ticks": [min(pair) * (1 - reach) for pair in pairs],
            "close_ticks": closes,
        },
        schema_overrides={
            "event_timestamp": pl.Datetime("us", "UTC"),
            "created_timestamp": pl.Datetime("us", "UTC"),
        },
    )
    return frame.filter(~pl.col("bar_id").is_in(list(gaps)))


def _walked(bars: pl.DataFrame, at: int) -> tuple[int, float, float] | None:
    """Label, long and short earnings of the position after bar `at`; None where none is known."""
    rows = bars.rows(named=True)
    if at + FEW.horizon >= len(rows):
        return None
    if rows[at + FEW.horizon]["event_timestamp"] - rows[at]["event_timestamp"] != 4 * HOUR:
        return None
    recent = [
        now["close_ticks"] / before["close_ticks"] - 1
        for before, now in zip(rows[: at + 1], rows[1 : at + 1], strict=False)
        if now["event_timestamp"] > rows[at]["event_timestamp"] - 6 * HOUR
    ]
    if len(recent) < FEW.least_bars:
        return None
    width = float(np.std(recent, ddof=1)) * 2 + 0.002
    ahead = rows[at + 1 : at + 5]
    entry = ahead[0]["open_ticks"]
    upper, lower = entry * (1 + width), entry * (1 - width)
    label, long, short = HOLD, ahead[-1]["close_ticks"], ahead[-1]["close_ticks"]
    for bar in ahead:
        rose, fell = bar["high_ticks"] >= upper, bar["low_ticks"] <= lower
        if rose or fell:
            label = HOLD if rose and fell else BUY if rose else SELL
            long = min(lower, bar["open_ticks"]) if fell else upper
            short = max(upper, bar["open_ticks"]) if rose else lower
            break
    earned_long = long * 0.999 / (entry * 1.001) - 1
    return label, earned_long, (entry * 0.999 - short * 1.001) / entry


@given(
    st.lists(st.floats(-0.05, 0.05), min_size=5, max_size=40),
    st.sampled_from([0.0, 0.01, 0.05]),
    st.sets(st.integers(0, 39), max_size=3),
    st.sampled_from([0.0, 0.1, -0.1]),
)
def test_every_position_ends_as_a_walk_says(
    returns: list[float], reach: float, gaps: set[int], jump: float
) -> None:
    closes = (1000 * np.cumprod(1 + np.array(returns))).tolist()
    bars = bars_of(closes, reach=reach, gaps=tuple(gaps), jump=jump)
    found = triple_barrier(bars, HOUR_US, FEW)
    expected = {bars["bar_id"][at]: _walked(bars, at) for at in range(len(bars))}
    expected = {bar: ended for bar, ended in expected.items() if ended}
    assert found["bar_id"].to_list() == list(expected)
    for row in found.iter_rows(named=True):
        label, long, short = expected[row["bar_id"]]  # type: ignore[misc]  # no None is left
        assert row["label"] == label
        assert (row[BUY_RETURN], row[SELL_RETURN]) == pytest.approx((long, short))
        assert row["label_known_at"] == row["event_timestamp"] + 4 * HOUR


def test_a_reached_barrier_pays_what_usually_moves_and_a_bar_beyond_both_pays_neither() -> None:
    calm = [1000.0, 1010.0] * 5
    (last,) = triple_barrier(bars_of([*calm, 1010, 1200, 1200, 1200]), HOUR_US, FEW)[-1:].rows(
        named=True
    )
    assert last["label"] == BUY
    # The barrier is the deviation over the horizon and two costs away: two costs are paid.
    assert 0.02 < last[BUY_RETURN] < 0.03
    assert -last[SELL_RETURN] == pytest.approx(last[BUY_RETURN] + 2 * 0.002, abs=1e-4)
    wild = triple_barrier(bars_of([1000.0, 1001.0] * 7, reach=0.5), HOUR_US, FEW)
    assert set(wild["label"]) == {HOLD}
    assert (wild[BUY_RETURN] < 0).all() and (wild[SELL_RETURN] < 0).all()


def test_a_label_waits_for_the_correction_of_a_bar_in_its_horizon() -> None:
    late = START + timedelta(days=9)
    created = pl.when(pl.col("bar_id") == 11).then(pl.lit(late)).otherwise("created_timestamp")
    bars = bars_of([1000.0, 1010.0] * 8).with_columns(created.alias("created_timestamp"))
    known = dict(triple_barrier(bars, HOUR_US, FEW).select("bar_id", "label_known_at").rows())
    assert known[7] == late and known[10] == late
    assert known[6] == START + 10 * HOUR and known[11] == START + 15 * HOUR
