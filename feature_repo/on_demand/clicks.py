"""A click's place in the week, and the time since the clicks before it."""

from __future__ import annotations

from typing import Any


def place_in_time(inputs: dict[str, Any]) -> dict[str, Any]:
    """Hour and weekday of a click in UTC, Monday being 0, and seconds since the last one.

    The last is the newest of a day before; null where there is none. Lists in, lists out;
    arrays in, arrays out. Null is None in lists and NaN in arrays. Feast runs this source
    elsewhere: what it needs, it must define or import inside.
    """
    import numpy as np

    times = np.asarray(inputs["click_time_us"], dtype=np.int64)
    hours = times // 3_600_000_000
    outputs: dict[str, Any] = {
        "click_hour": hours % 24,
        # 1970-01-01 was a Thursday: day 0 is weekday 3.
        "click_weekday": (hours // 24 + 3) % 7,
    }
    for entity in ("ip", "ip_app", "ip_device_os", "app_channel"):
        # Microseconds are below 2^53 until the year 2255: float64 holds them exactly.
        newest = np.asarray(inputs[f"{entity}_click_last_event_time_1d"], dtype=np.float64)
        outputs[f"{entity}_seconds_since_click"] = (times.astype(np.float64) - newest) // 1_000_000
    if isinstance(inputs["click_time_us"], list):
        return {
            name: [None if value != value else value for value in column.tolist()]
            for name, column in outputs.items()
        }
    return outputs
