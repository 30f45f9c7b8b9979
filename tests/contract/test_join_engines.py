"""The join of this process and the join in Spark: the same rows, statuses and accounts."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from view_histories import Row, Step, entity_frame, rows, steps, view_join

from lockstep.lake.lake import Lake
from lockstep.lake.spark.errors import SparkError
from lockstep.stores import historical_join, spark_join
from lockstep.stores.as_served_join import AsServedJoin
from lockstep.stores.errors import EntityFrameError
from lockstep.stores.historical_join import HistoricalJoin
from lockstep.stores.join_receipt import ViewAccount
from lockstep.stores.spark_join import SparkJoin
from lockstep.stores.view_join import ViewJoin
from lockstep.stores.view_table import ViewTable
from lockstep.stores.visibility import Scheduled

pytestmark = pytest.mark.usefixtures("spark")

NOON = datetime(2018, 4, 1, 12, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def both(
    entities: pl.DataFrame, views: list[ViewJoin], *, exclude: bool = True
) -> list[tuple[pl.DataFrame, dict[str, ViewAccount]]]:
    """What each engine gives, and its accounts."""
    found = []
    for engine in (HistoricalJoin, SparkJoin):
        accounts: dict[str, ViewAccount] = {}
        join = engine(entities, views, exclude=exclude, memory_mb=1000)
        found.append((join.frame(accounts), accounts))
    return found


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, steps, rows, st.sampled_from([None, timedelta(hours=2)]), st.booleans())
def test_engines_give_the_same_rows(
    first: list[Step],
    second: list[Step],
    entity_rows: list[Row],
    ttl: timedelta | None,
    exclude: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        views = [
            view_join(lake, "one", "a", first, ttl=ttl, with_statuses=True),
            view_join(lake, "two", "b", second, with_statuses=True),
        ]
        local, by_spark = both(entity_frame(entity_rows), views, exclude=exclude)
        assert by_spark[0].equals(local[0])
        assert by_spark[1] == local[1]
        assert lake.list("_staging/") == []


def test_engines_see_the_same_of_what_was_served(tmp_path: Path) -> None:
    lake, schedule = Lake.at(tmp_path), Scheduled(timedelta(hours=3), timedelta(hours=1))
    history = [Step(key, hour, hour + hour % 3, hour) for key in (1, 2) for hour in range(0, 18, 2)]
    ttl = timedelta(hours=3)
    plain = view_join(lake, "one", "a", history, ttl=ttl, with_statuses=True)
    view = replace(plain, with_times=True)
    entities = entity_frame([Row(key, 1, at, 0) for key in (1, 2, 3) for at in range(20)])
    local, by_spark = (
        AsServedJoin(engine(entities, [view], exclude=True, memory_mb=1000), schedule).frame({})
        for engine in (HistoricalJoin, SparkJoin)
    )
    assert by_spark.equals(local)
    assert set(local["one__count__status"]) == {"NOT_FOUND", "EXPIRED", "PRESENT"}
    assert local["one__created_timestamp"].null_count() < local.height


def test_batches_are_put_together_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (historical_join, spark_join):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    view = view_join(Lake.at(tmp_path), "one", "a", [Step(key, 0, 0, key) for key in range(40)])
    entities = entity_frame([Row(key % 50, 1, 5, 0) for key in range(100)])
    join = SparkJoin(entities, [view], exclude=True, memory_mb=1000)
    parts = list(join.batches({}))
    assert [len(part) for part in parts] == [7] * 14 + [2]
    assert pl.concat(parts).equals(HistoricalJoin(entities, [view], True, 1000).frame({}))


def test_no_rows_are_a_frame_of_the_right_types(tmp_path: Path) -> None:
    view = view_join(Lake.at(tmp_path), "one", "a", [Step(1, 0, 0, 1)])
    local, by_spark = both(entity_frame([Row(1, 1, 5, 0)]).clear(), [view])
    assert by_spark[0].schema == local[0].schema


def theirs(lake: Lake, table: pl.DataFrame, **mapping: str) -> ViewJoin:
    """A view over somebody else's file: naive times, small integers, text and small keys."""
    lake.write_parquet("theirs.parquet", table)
    view = FeatureView(
        name="theirs",
        entities=[Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)],
        ttl=timedelta(0),
        schema=[Field(name="n", dtype=Int64), Field(name="x", dtype=Float64)],
        source=FileSource(path="theirs.parquet", timestamp_field="ts", field_mapping=mapping),
    )
    view.entity_columns = [Field(name="shop", dtype=String), Field(name="card", dtype=Int64)]
    return ViewJoin(ViewTable(view, lake), ("n", "x"), full_feature_names=False)


THEIRS = pl.DataFrame(
    {
        "shop": ["1", "12", "12", None],
        "card": pl.Series([23, 3, 3, 1], dtype=pl.Int16),
        "ts": pl.Series([NOON.replace(tzinfo=None)] * 4, dtype=pl.Datetime("us")),
        "N": pl.Series([1, 2, 3, 4], dtype=pl.UInt8),
        "x": pl.Series([0.5, None, 1.5, 2.5], dtype=pl.Float32),
    }
)
ASKED = pl.DataFrame(
    {
        "shop": ["12", "1", "1", None],
        "card": [3, 23, 3, 1],
        "event_timestamp": pl.Series([NOON] * 4, dtype=TIME),
    }
)


def test_columns_of_other_types_are_converted_alike(tmp_path: Path) -> None:
    local, by_spark = both(ASKED, [theirs(Lake.at(tmp_path), THEIRS, N="n")])
    assert local[0]["n"].to_list() == [3, 1, None, None]
    assert by_spark[0].equals(local[0])
    assert by_spark[0].schema == local[0].schema


def test_what_spark_cannot_read_is_named(tmp_path: Path) -> None:
    nanoseconds = THEIRS.with_columns(pl.col("ts").dt.cast_time_unit("ns"))
    view = theirs(Lake.at(tmp_path), nanoseconds, N="n")
    with pytest.raises(SparkError, match="cannot read column 'ts' of type Datetime"):
        SparkJoin(ASKED, [view], exclude=True, memory_mb=1000).frame({})


def test_an_error_in_a_task_is_the_one_of_this_process(tmp_path: Path) -> None:
    view = view_join(Lake.at(tmp_path), "one", "a", [Step(1, 0, 0, 1)])
    early = entity_frame([Row(1, 1, 5, -3)], known_as_of=True)
    with pytest.raises(EntityFrameError, match="known_as_of is before event_timestamp in 1 rows"):
        SparkJoin(early, [view], exclude=True, memory_mb=1000).frame({})
