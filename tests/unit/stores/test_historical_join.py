"""A join cut into slices of time, however small, is the join of everything at once."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from view_histories import Row, Step, entity_frame, rows, step_frame, steps, view_join

from lockstep.lake.lake import Lake
from lockstep.stores.asof import join_as_of
from lockstep.stores.historical_join import HistoricalJoin
from lockstep.stores.join_receipt import ViewAccount

WHOLE, HOURLY = 10_000, 0
ttls = st.sampled_from([None, timedelta(hours=1), timedelta(hours=3)])


@settings(max_examples=40)
@given(steps, steps, rows, ttls, ttls, st.booleans(), st.booleans())
def test_slices_never_change_a_row(
    first: list[Step],
    second: list[Step],
    entity_rows: list[Row],
    ttl: timedelta | None,
    other_ttl: timedelta | None,
    exclude: bool,
    known_as_of: bool,
) -> None:
    entities = entity_frame(entity_rows, known_as_of=known_as_of)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        views = [
            view_join(lake, "one", "a", first, ttl=ttl),
            view_join(lake, "two", "b", second, ttl=other_ttl),
        ]
        expected = oracle(entities, first, second, ttl, other_ttl, exclude=exclude)
        accounts: list[dict[str, ViewAccount]] = [{}, {}, {}]
        for found, memory_mb in zip(accounts, (WHOLE, HOURLY), strict=False):
            join = HistoricalJoin(entities, views, exclude=exclude, memory_mb=memory_mb)
            assert join.frame(found).equals(expected)
        assert pl.concat(join.batches(accounts[2])).equals(expected)
        assert accounts[0] == accounts[1] == accounts[2]


def oracle(
    entities: pl.DataFrame,
    first: list[Step],
    second: list[Step],
    ttl: timedelta | None,
    other_ttl: timedelta | None,
    *,
    exclude: bool,
) -> pl.DataFrame:
    """Each view joined as a whole by the function that has an oracle of its own."""
    if exclude and "known_as_of" not in entities.columns:
        limited = entities.with_columns(known_as_of="event_timestamp")
    else:
        limited = entities
    found = [entities]
    for name, key, history, age in (("one", "a", first, ttl), ("two", "b", second, other_ttl)):
        in_order = sorted(history, key=lambda step: max(step.event, step.created) // 48)
        seen = join_as_of(limited, step_frame(in_order, key), keys=[key], ttl=age)
        found.append(seen.select(pl.col("count", "name").name.prefix(f"{name}__")))
    return pl.concat(found, how="horizontal")


def test_rows_in_the_order_of_time_are_not_sorted_again(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    view = view_join(lake, "one", "a", [Step(1, hour, hour, hour) for hour in range(0, 96, 7)])
    entities = entity_frame([Row(1, 1, at, 0) for at in range(90)])
    join = HistoricalJoin(entities, [view], exclude=True, memory_mb=HOURLY)
    parts = list(join.batches({}))
    assert len(parts) > 10
    assert pl.concat(parts).equals(join.frame({}))


@pytest.mark.parametrize("memory_mb", [WHOLE, HOURLY])
def test_the_account_tells_nulls_by_cause(tmp_path: Path, memory_mb: int) -> None:
    lake = Lake.at(tmp_path)
    history = [Step(1, 0, 0, 1), Step(1, 10, 10, None, "p"), Step(2, 0, 0, 5), Step(2, 4, 50, 6)]
    view = view_join(lake, "one", "a", history, ttl=timedelta(hours=5))
    asked = [Row(1, 1, 11, 0), Row(1, 1, 21, 0), Row(2, 1, 5, 0), Row(3, 1, 5, 0), Row(1, 1, 9, 0)]
    accounts: dict[str, ViewAccount] = {}
    join = HistoricalJoin(entity_frame(asked), [view], exclude=True, memory_mb=memory_mb)
    assert join.frame(accounts).get_column("one__count").to_list() == [None, None, 5, None, 1]
    assert accounts["one"] == ViewAccount(
        rows=5, not_found=1, expired=1, late=1, nulls={"count": 1, "name": 2}
    )
