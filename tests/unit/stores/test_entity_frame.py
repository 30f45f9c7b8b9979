"""Entity frames of every kind become one kind, or say what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from feast.types import Int64

from lockstep.lake.lake import Lake
from lockstep.stores.entity_frame import entity_frame, key_columns
from lockstep.stores.errors import EntityFrameError

UTC_NOON = datetime(2018, 4, 1, 12, tzinfo=UTC)
NOON = UTC_NOON.replace(tzinfo=None)
LAKE = Lake.at("no-such-lake")
COLUMNS = {"customer_id": [1], "event_timestamp": [NOON]}


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS).assign(
            event_timestamp=pd.Timestamp("2018-04-01 15:00", tz="Europe/Moscow")
        ),
        pa.table(COLUMNS),
        pa.table({**COLUMNS, "event_timestamp": pa.array([NOON], pa.timestamp("ns", "UTC"))}),
        pl.DataFrame(COLUMNS),
    ],
    ids=["pandas", "pandas-moscow", "arrow", "arrow-ns", "polars"],
)
def test_a_frame_of_any_kind_is_polars_in_utc_microseconds(rows: object) -> None:
    frame = entity_frame(rows, lake=LAKE)
    assert frame.rows() == [(1, UTC_NOON)]
    assert frame.schema["event_timestamp"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "is NoneType, expected a pandas, Arrow or Polars table"),
        (pd.DataFrame({"customer_id": [1]}), r"lacks \['event_timestamp'\]"),
        (pl.DataFrame({"event_timestamp": ["2018-04-01"]}), "String, expected a time"),
        (pd.DataFrame([[1, NOON, 2]], columns=["a", "event_timestamp", "a"]), "same name"),
        (pa.table([[1], [2]], names=["a", "a"]), "same name"),
        (pd.DataFrame({"a": [1, "x"], "event_timestamp": [NOON] * 2}), "cannot be read"),
    ],
)
def test_what_is_no_entity_frame_is_refused(rows: object, message: str) -> None:
    with pytest.raises(EntityFrameError, match=message):
        entity_frame(rows, lake=LAKE)


def test_keys_are_renamed_and_typed_as_the_view_has_them() -> None:
    frame = pl.DataFrame({"buyer": pl.Series([1.0, None])})
    keys = key_columns(frame, {"customer_id": "buyer"}, {"customer_id": Int64})
    assert keys.schema == {"customer_id": pl.Int64}
    assert keys.rows() == [(1,), (None,)]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"other": [1]}, r"lacks \['customer_id'\]; it has \['other'\]"),
        ({"customer_id": ["1"]}, "is String, expected Int64"),
        ({"customer_id": [1.5]}, "is Float64, expected Int64"),
    ],
)
def test_what_is_no_key_of_the_view_is_refused(keys: dict[str, list[object]], message: str) -> None:
    with pytest.raises(EntityFrameError, match=message):
        key_columns(pl.DataFrame(keys), {"customer_id": "customer_id"}, {"customer_id": Int64})
