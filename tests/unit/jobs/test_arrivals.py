"""What became known, counted: by age, and in hashes that any other row would change."""

from __future__ import annotations

import tempfile

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from source_histories import HOURS, STEPS, T0, Row, histories, write_source

from lockstep.jobs.arrivals import HOUR_US, Arrivals
from lockstep.lake.lake import Lake


def frame(rows: list[Row]) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write_source(lake, rows)
        return lake.table(STEPS.source).scan().collect()


def test_rows_are_counted_by_age() -> None:
    hours = {"on_time": 0, "under_1h": 0.5, "under_1d": 1, "under_7d": 24, "under_30d": 168}
    delays = [(age, int(hour * HOUR_US)) for age, hour in (hours | {"older": 720}).items()]
    delays += [("on_time", 1), ("on_time", -9), ("under_1h", 2), ("under_1d", 24 * HOUR_US - 1)]
    rows = [Row("a", 1, HOUR_US, HOUR_US + delay, 1) for _, delay in delays]
    late = Arrivals.of(frame(rows), STEPS).late
    ages = [age for age, _ in delays]
    assert late == {age: ages.count(age) for age in ages}


@given(histories(), st.randoms(), st.integers(0, 12))
def test_pieces_add_up_whatever_their_order(rows: list[Row], random: object, cut: int) -> None:
    whole = Arrivals.of(frame(rows), STEPS)
    random.shuffle(rows)  # type: ignore[attr-defined]
    pieces = [frame(piece) for piece in (rows[:cut], rows[cut:]) if piece]
    assert sum((Arrivals.of(piece, STEPS) for piece in pieces), Arrivals()) == whole
    assert whole.rows == len(rows) == sum(whole.late.values())
    assert whole.deletions == sum(row.is_deleted for row in rows)
    assert set(whole.hashes) == {int(T0.timestamp()) // 3600 + r.known // HOUR_US for r in rows}


@given(histories(), st.data())
def test_another_row_changes_the_hash_of_its_hour_only(
    rows: list[Row], data: st.DataObject
) -> None:
    old = rows[data.draw(st.integers(0, len(rows) - 1))]
    new = data.draw(
        st.sampled_from(
            [
                old._replace(value=old.value + 1),
                old._replace(card=3),
                old._replace(shop="c"),
                old._replace(is_deleted=not old.is_deleted),
                old._replace(event=old.event % HOUR_US, created=old.known),
            ]
        )
    )
    if new == old:
        return
    others = list(rows)
    others.remove(old)
    before, after = (Arrivals.of(frame(some), STEPS).hashes for some in (rows, [*others, new]))
    hour = int(T0.timestamp()) // 3600 + old.known // HOUR_US
    assert {h for h in before.keys() | after.keys() if before.get(h) != after.get(h)} == {hour}


def test_a_source_without_deletions_counts_like_one_that_has_the_column() -> None:
    rows = frame([Row("a", 1, hour * HOUR_US, hour * HOUR_US, 1) for hour in range(HOURS)])
    assert Arrivals.of(rows, STEPS) == Arrivals.of(rows.drop("is_deleted"), STEPS)
