"""What the bars of an asset say, in numbers that have no unit: ratios, positions and signs."""

from __future__ import annotations

from typing import Any


def describe_market(inputs: dict[str, Any]) -> dict[str, Any]:
    """Returns, means, crossings, range, oscillators and volume, of stored values only.

    Lists in, lists out; arrays in, arrays out. Null, where a window lacks bars or there is
    nothing to divide by, is None in lists and NaN in arrays. Whether one mean is above
    another is 0 or 1; it crossed where that changes from bar to bar. A range without height
    has its close in the middle. Feast runs this source elsewhere: what it needs, it must
    define or import inside.
    """
    import numpy as np

    def column(name: str) -> Any:
        # A null becomes NaN, which is not above zero either.
        return np.asarray(inputs[f"asset_{name}"], dtype=np.float64)

    def ratio(of: Any, to: Any) -> Any:
        return np.divide(of, to, out=np.full(len(to), np.nan), where=to > 0)

    def position(lowest: Any, highest: Any) -> Any:
        height = highest - lowest
        return np.where(height == 0, 0.5, ratio(close - lowest, height))

    def above(one: Any, other: Any) -> Any:
        known = ~(np.isnan(one) | np.isnan(other))
        return np.where(known, (one > other).astype(np.float64), np.nan)

    close = column("close_ticks_last_1b")
    high, low = column("high_ticks_last_1b"), column("low_ticks_last_1b")
    times = np.asarray(inputs["decision_time_us"], dtype=np.float64)
    outputs = {
        # Microseconds are below 2^53 until the year 2255: float64 holds them exactly.
        "hours_since_bar": (times - column("bar_last_event_time_1b")) / 3_600_000_000,
        "bar_range": ratio(high - low, close),
        "bar_close_position": position(low, high),
    }
    for bars in (1, 6, 12, 24, 48, 200):
        outputs[f"return_{bars}b"] = ratio(close, column(f"close_ticks_first_{bars + 1}b")) - 1
    ema = {span: column(f"close_ticks_ema_{4 * span}b") for span in (8, 12, 26, 50, 100, 200)}
    for span, mean in ema.items():
        outputs[f"close_to_ema_{span}b"] = ratio(close, mean) - 1
    for fast, slow in ((8, 26), (12, 50), (50, 200)):
        outputs[f"ema_{fast}b_to_{slow}b"] = ratio(ema[fast], ema[slow]) - 1
        outputs[f"ema_{fast}b_above_{slow}b"] = above(ema[fast], ema[slow])
    sma = {bars: column(f"close_ticks_mean_{bars}b") for bars in (10, 20, 50, 100, 200)}
    for bars, mean in sma.items():
        outputs[f"close_to_sma_{bars}b"] = ratio(close, mean) - 1
        lowest, highest = column(f"low_ticks_min_{bars}b"), column(f"high_ticks_max_{bars}b")
        outputs[f"range_position_{bars}b"] = position(lowest, highest)
    for fast, slow in ((10, 50), (20, 100), (50, 200)):
        outputs[f"sma_{fast}b_to_{slow}b"] = ratio(sma[fast], sma[slow]) - 1
        outputs[f"sma_{fast}b_above_{slow}b"] = above(sma[fast], sma[slow])
    rsi = column("close_ticks_rsi_112b")
    outputs["rsi_14b_overbought"] = above(rsi, np.full(len(rsi), 70.0))
    outputs["rsi_14b_oversold"] = above(np.full(len(rsi), 30.0), rsi)
    macd, signal = column("close_ticks_macd_104b"), column("close_ticks_macd_signal_104b")
    outputs["macd_to_close"] = ratio(macd, close)
    outputs["macd_histogram_to_close"] = ratio(macd - signal, close)
    outputs["macd_above_signal"] = above(macd, signal)
    deviation = {bars: column(f"close_ticks_return_std_{bars}b") for bars in (10, 20, 100)}
    outputs["volatility_10b_to_100b"] = ratio(deviation[10], deviation[100])
    outputs["volatility_20b_to_100b"] = ratio(deviation[20], deviation[100])
    volume, traded = column("volume_lots_last_1b"), column("volume_lots_mean_100b")
    outputs["volume_to_mean_20b"] = ratio(volume, column("volume_lots_mean_20b"))
    outputs["volume_to_mean_100b"] = ratio(volume, traded)
    outputs["volume_10b_to_100b"] = ratio(column("volume_lots_mean_10b"), traded)
    if isinstance(inputs["decision_time_us"], list):
        return {
            name: [None if value != value else value for value in values.tolist()]
            for name, values in outputs.items()
        }
    return outputs
