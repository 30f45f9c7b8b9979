"""Ad clicks: what address, app, device and placement did before, and what came of it."""

from __future__ import annotations

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

from feature_repo.on_demand.clicks import place_in_time
from feature_repo.step_view import step_view
from feature_repo.windows.clicks import (
    APP_CHANNEL_CLICKS,
    APP_CHANNEL_RECORD,
    APP_DEVICE_RECORD,
    APP_OS_RECORD,
    APP_RECORD,
    CHANNEL_OS_RECORD,
    CHANNEL_RECORD,
    DEVICE_RECORD,
    IP_APP_CLICKS,
    IP_CLICKS,
    IP_DEVICE_OS_CLICKS,
    OS_RECORD,
)
from lockstep.windows.spec import WindowSpec


def _key(name: str, description: str) -> Entity:
    return Entity(name=name, join_keys=[name], value_type=ValueType.INT64, description=description)


ip = _key("ip", "The address that a click came from, encoded.")
app = _key("app", "The app that was advertised.")
device = _key("device", "The type of device.")
os = _key("os", "The version of its operating system.")
channel = _key("channel", "The publisher's channel.")


def _view(spec: WindowSpec, description: str) -> FeatureView:
    keys = {"ip": ip, "app": app, "device": device, "os": os, "channel": channel}
    return step_view(
        spec,
        entity=[keys[name] for name in spec.entity_keys],
        max_age=timedelta(hours=2),
        description=description,
    )


ip_clicks = _view(IP_CLICKS, "Clicks from an address.")
ip_app_clicks = _view(IP_APP_CLICKS, "Clicks from an address on an app.")
ip_device_os_clicks = _view(IP_DEVICE_OS_CLICKS, "Clicks from a device, as far as it is known.")
app_channel_clicks = _view(APP_CHANNEL_CLICKS, "Clicks on an app in a channel.")

app_record = _view(APP_RECORD, "What became known of clicks on an app.")
channel_record = _view(CHANNEL_RECORD, "What became known of clicks in a channel.")
device_record = _view(DEVICE_RECORD, "What became known of clicks from a type of device.")
os_record = _view(OS_RECORD, "What became known of clicks from a system.")
app_channel_record = _view(APP_CHANNEL_RECORD, "What became known of an app in a channel.")
app_device_record = _view(APP_DEVICE_RECORD, "What became known of an app on a type of device.")
app_os_record = _view(APP_OS_RECORD, "What became known of an app on a system.")
channel_os_record = _view(CHANNEL_OS_RECORD, "What became known of a system in a channel.")

click = RequestSource(
    name="click",
    schema=[Field(name="click_time_us", dtype=Int64)],
    description="The click being scored: its time in microseconds UTC.",
)


def _last_click(view: FeatureView, spec: WindowSpec) -> FeatureView:
    return view[[f"{spec.entity}_click_last_event_time_1d"]]


click_in_time = on_demand_feature_view(
    name="click_in_time",
    sources=[
        _last_click(ip_clicks, IP_CLICKS),
        _last_click(ip_app_clicks, IP_APP_CLICKS),
        _last_click(ip_device_os_clicks, IP_DEVICE_OS_CLICKS),
        _last_click(app_channel_clicks, APP_CHANNEL_CLICKS),
        click,
    ],
    schema=[
        Field(name="click_hour", dtype=Int64),
        Field(name="click_weekday", dtype=Int64),
        Field(name="ip_seconds_since_click", dtype=Float64),
        Field(name="ip_app_seconds_since_click", dtype=Float64),
        Field(name="ip_device_os_seconds_since_click", dtype=Float64),
        Field(name="app_channel_seconds_since_click", dtype=Float64),
    ],
    mode="python",
    tags={"columns": "numpy"},
    description="The hour and weekday of a click in UTC, and how long ago the last ones were.",
)(place_in_time)


def _counts(view: FeatureView, spec: WindowSpec) -> FeatureView:
    """All but the times of the last clicks, of which the model reads how long ago they were."""
    return view[[name for name in spec.features() if "last_event_time" not in name]]


clicks_v1 = FeatureService(
    name="clicks_v1",
    features=[
        _counts(ip_clicks, IP_CLICKS),
        _counts(ip_app_clicks, IP_APP_CLICKS),
        _counts(ip_device_os_clicks, IP_DEVICE_OS_CLICKS),
        _counts(app_channel_clicks, APP_CHANNEL_CLICKS),
        _counts(app_record, APP_RECORD),
        _counts(channel_record, CHANNEL_RECORD),
        _counts(device_record, DEVICE_RECORD),
        _counts(os_record, OS_RECORD),
        _counts(app_channel_record, APP_CHANNEL_RECORD),
        _counts(app_device_record, APP_DEVICE_RECORD),
        _counts(app_os_record, APP_OS_RECORD),
        _counts(channel_os_record, CHANNEL_OS_RECORD),
        click_in_time,
    ],
    description="What the model of clicks reads, in its order.",
)
