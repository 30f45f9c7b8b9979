"""What an address, an app on it, a device and a placement did before a click, and what came of it.

`<keys>_clicks` count clicks over ten minutes, an hour and a day. `<keys>_record` are the
verdicts on clicks: attributed or not, each when it became known.
"""

from __future__ import annotations

from lockstep.windows.spec import Aggregation, WindowSpec


def _clicks(*keys: str, distinct: tuple[str, ...], resolution: str | None = None) -> WindowSpec:
    entity = "_".join(keys)
    return WindowSpec(
        name=f"{entity}_clicks",
        source="clicks/clicks",
        entity=entity,
        entity_keys=keys,
        windows=("10m", "1h", "1d"),
        aggregations=(
            Aggregation("count", what="click"),
            *(Aggregation("distinct", column) for column in distinct),
            Aggregation("last_event_time", what="click"),
        ),
        resolution=resolution,
    )


def _record(*keys: str) -> WindowSpec:
    entity = "_".join(keys)
    return WindowSpec(
        name=f"{entity}_record",
        source="clicks/attributions",
        entity=entity,
        entity_keys=keys,
        windows=("7d",),
        aggregations=(
            Aggregation("count", what="verdict"),
            Aggregation("rate", "attributed"),
        ),
        # A popular app is hot: at most one step a minute.
        resolution="1m",
    )


IP_CLICKS = _clicks("ip", distinct=("app", "device", "os", "channel"))
IP_APP_CLICKS = _clicks("ip", "app", distinct=("os", "channel"))
IP_DEVICE_OS_CLICKS = _clicks("ip", "device", "os", distinct=("app", "channel"))
# One placement has a tenth of all clicks: at most one step a minute.
APP_CHANNEL_CLICKS = _clicks("app", "channel", distinct=("ip", "os"), resolution="1m")
CLICK_SPECS = (IP_CLICKS, IP_APP_CLICKS, IP_DEVICE_OS_CLICKS, APP_CHANNEL_CLICKS)

APP_RECORD = _record("app")
CHANNEL_RECORD = _record("channel")
DEVICE_RECORD = _record("device")
OS_RECORD = _record("os")
APP_CHANNEL_RECORD = _record("app", "channel")
APP_DEVICE_RECORD = _record("app", "device")
APP_OS_RECORD = _record("app", "os")
CHANNEL_OS_RECORD = _record("channel", "os")
RECORD_SPECS = (
    APP_RECORD,
    CHANNEL_RECORD,
    DEVICE_RECORD,
    OS_RECORD,
    APP_CHANNEL_RECORD,
    APP_DEVICE_RECORD,
    APP_OS_RECORD,
    CHANNEL_OS_RECORD,
)
WINDOW_SPECS = (*CLICK_SPECS, *RECORD_SPECS)
