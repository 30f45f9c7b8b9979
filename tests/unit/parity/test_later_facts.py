"""What the source has learnt since, against the definition over one fact after another."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Int64
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockstep.lake.lake import Lake
from lockstep.parity.later_facts import FactSource, OwnRows

TIME = pl.Datetime("us", "UTC")
REACH = 20
TABLE = "t/facts"
COLUMNS = {"card": pl.Int64, "event_timestamp": TIME, "created_timestamp": TIME}


class Fact(NamedTuple):
    card: int
    event: int
    created: int
    deleted: bool


class Asked(NamedTuple):
    card: int
    cut: int
    t: int


times = st.integers(0, 30)
facts = st.lists(st.builds(Fact, st.integers(1, 3), times, times, st.booleans()), max_size=12)
questions = st.lists(st.builds(Asked, st.integers(1, 4), times, times), min_size=1, max_size=6)
in_folder = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def lake_with(folder: Path, known: list[Fact], *, with_deletions: bool) -> Lake:
    lake = Lake.at(folder)
    schema = COLUMNS | {"is_deleted": pl.Boolean}
    plain = dict.fromkeys(("card", "event_timestamp", "created_timestamp"), pl.Int64)
    rows = pl.DataFrame(known, schema=plain | {"is_deleted": pl.Boolean}, orient="row").cast(schema)
    if not with_deletions:
        rows = rows.drop("is_deleted")
    table = lake.table(TABLE)
    table.drop_days(table.days())
    # All of them are of one day, and there is always one.
    never = rows.clear(1).with_columns(
        card=pl.lit(-1, pl.Int64),
        event_timestamp=pl.lit(0).cast(TIME),
        created_timestamp=pl.lit(0).cast(TIME),
    )
    if with_deletions:
        never = never.with_columns(is_deleted=pl.lit(value=False))
    table.write_day(never["event_timestamp"].dt.date()[0], pl.concat([rows, never]))
    return lake


def frame(asked: list[Asked]) -> pl.DataFrame:
    return pl.DataFrame(
        asked, schema={"card": pl.Int64, "cut_us": pl.Int64, "t_us": pl.Int64}, orient="row"
    )


def by_definition(known: list[Fact], asked: Asked) -> tuple[int, int, int]:
    """Deletions, corrections and late rows: what was created after the cut and until T."""
    near = [
        fact
        for fact in known
        if fact.card == asked.card
        and asked.cut < fact.created <= asked.t
        and fact.event <= asked.cut
        and fact.event > asked.t - REACH
    ]
    deletions = corrections = late = 0
    for fact in near:
        together = [f.deleted for f in known if (f.card, f.created) == (fact.card, fact.created)]
        if any(together) and not all(together):
            corrections += fact.deleted
        else:
            deletions += fact.deleted
            late += not fact.deleted
    return deletions, corrections, late


@in_folder
@given(facts, questions)
def test_facts_are_always_counted_as_the_definition_says(
    tmp_path: Path, known: list[Fact], asked: list[Asked]
) -> None:
    lake = lake_with(tmp_path, known, with_deletions=True)
    source = FactSource(lake.table(TABLE), ("card",), REACH)
    assert source.later(frame(asked)).rows() == [by_definition(known, one) for one in asked]


def test_a_source_without_deletions_has_late_rows_alone(tmp_path: Path) -> None:
    known = [Fact(1, 5, 12, False), Fact(1, 6, 13, False), Fact(2, 5, 12, False)]
    lake = lake_with(tmp_path, known, with_deletions=False)
    source = FactSource(lake.table(TABLE), ("card",), REACH)
    assert source.later(frame([Asked(1, 10, 20), Asked(2, 10, 11)])).rows() == [
        (0, 0, 2),
        (0, 0, 0),
    ]
    assert source.later(frame([])).columns == ["deletions", "corrections", "late_rows"]


def view(*, with_created: bool) -> FeatureView:
    return FeatureView(
        name="limits",
        entities=[Entity(name="card", join_keys=["card"], value_type=ValueType.INT64)],
        ttl=timedelta(0),
        schema=[Field(name="card", dtype=Int64), Field(name="limit", dtype=Int64)],
        source=FileSource(
            path=TABLE,
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp" if with_created else "",
        ),
    )


@in_folder
@given(facts, questions)
def test_versions_of_a_row_are_always_told_from_rows_that_came_late(
    tmp_path: Path, known: list[Fact], asked: list[Asked]
) -> None:
    lake = lake_with(tmp_path, known, with_deletions=False)
    table = lake.table(TABLE)
    (day,) = table.days()
    table.write_day(day, table.read_day(day).with_columns(limit=pl.lit(1, pl.Int64)))
    first: dict[tuple[int, int], int] = {}
    for fact in sorted(known, key=lambda f: f.created):
        first.setdefault((fact.card, fact.event), fact.created)
    expected = []
    for one in asked:
        near = [
            fact.created > first[fact.card, fact.event]
            for fact in known
            if fact.card == one.card and one.cut < fact.created <= one.t and fact.event <= one.cut
        ]
        expected.append((0, sum(near), len(near) - sum(near)))
    found = OwnRows.of_view(lake, view(with_created=True)).later(frame(asked))
    assert found.rows() == expected


@pytest.mark.parametrize("asked", [[], [Asked(1, 10, 20)]])
def test_rows_without_created_times_are_never_late(tmp_path: Path, asked: list[Asked]) -> None:
    lake = lake_with(tmp_path, [Fact(1, 5, 12, False)], with_deletions=False)
    own = OwnRows.of_view(lake, view(with_created=False))
    assert own.keys == ("card",)
    assert own.later(frame(asked)).rows() == [(0, 0, 0)] * len(asked)
