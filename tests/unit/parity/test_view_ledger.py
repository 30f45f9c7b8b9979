"""A ledger that is damaged, cut off or impossible tells what it still can."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from feast import Entity, FeatureView, FileSource, ValueType

from lockstep.lake.lake import Lake
from lockstep.parity.view_ledger import ViewLedger, held, held_if_begun
from lockstep.stores.ledger import Beginning, LedgerRow, append

NOON = datetime(2018, 5, 11, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIME = pl.Datetime("us", "UTC")
VIEW = FeatureView(
    name="cards",
    entities=[Entity(name="card", join_keys=["card"], value_type=ValueType.INT64)],
    source=FileSource(path="cards.parquet", timestamp_field="event_timestamp"),
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(tmp_path)


def run(hours: int, *, took: timedelta = timedelta(minutes=5)) -> LedgerRow:
    at = NOON + hours * HOUR
    return LedgerRow("p", "cards", at, at + took, at, at, at, at, "d", {}, 1, 1, 0)


def read(lake: Lake) -> ViewLedger:
    return ViewLedger.read(lake, "p", VIEW)


def seen(ledger: ViewLedger, at: datetime, *, begun: bool = False) -> datetime:
    state = (held_if_begun if begun else held)({"cards": ledger})
    return state.until("cards", pl.Series([at], dtype=TIME)).item()


def test_without_a_record_nothing_was_visible(lake: Lake) -> None:
    ledger = read(lake)
    assert ledger.problems == ("no materialisation of cards is on record",)
    assert seen(ledger, NOON).year == 1
    assert seen(ledger, NOON, begun=True).year == 1


def test_each_run_counts_from_its_end(lake: Lake) -> None:
    for hours in (0, 2):
        append(lake, run(hours))
    ledger = read(lake)
    assert (len(ledger.runs), ledger.problems) == (2, ())
    assert seen(ledger, NOON + 2 * HOUR) == NOON
    assert seen(ledger, NOON + 2 * HOUR, begun=True) == NOON + 2 * HOUR
    assert seen(ledger, NOON + 2 * HOUR + timedelta(minutes=5)) == NOON + 2 * HOUR


def test_a_damaged_record_is_named_and_the_others_count(lake: Lake) -> None:
    append(lake, run(0))
    append(lake, run(2))
    lake.write_bytes(run(2).key, b'{"project": "p"')
    ledger = read(lake)
    assert [row.started for row in ledger.runs] == [NOON]
    (problem,) = ledger.problems
    assert lake.address(run(2).key) in problem


def test_a_run_without_an_end_may_have_done_all(lake: Lake) -> None:
    append(lake, run(0))
    append(lake, Beginning("p", "cards", NOON + 2 * HOUR, NOON + 2 * HOUR, "d"))
    ledger = read(lake)
    (problem,) = ledger.problems
    assert "begun at 2018-05-11T14:00:00+00:00 has no end" in problem
    assert seen(ledger, NOON + 3 * HOUR) == NOON
    assert seen(ledger, NOON + 3 * HOUR, begun=True) == NOON + 2 * HOUR


def test_a_run_that_ended_before_it_began_explains_nothing(lake: Lake) -> None:
    append(lake, run(0))
    append(lake, run(2, took=-HOUR))
    ledger = read(lake)
    assert [row.started for row in ledger.runs] == [NOON]
    (problem,) = ledger.problems
    assert "a clock went back" in problem


def test_a_broken_run_that_a_later_one_made_good_is_no_problem(lake: Lake) -> None:
    append(lake, Beginning("p", "cards", NOON, NOON, "d"))
    append(lake, run(1))
    ledger = read(lake)
    assert (len(ledger.unfinished), ledger.problems) == (1, ())


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("finished", "2018-05-11T14:05:00"),
        ("finished", None),
        ("covered_end", None),
        ("covered_end", "2018-05-11T14:00:00"),
        ("view", "other"),
    ],
)
def test_an_impossible_record_is_named(lake: Lake, field: str, text: str | None) -> None:
    for hours in (0, 2):
        append(lake, run(hours))
    told = json.loads(lake.read_bytes(run(2).key)) | {field: text}
    lake.write_bytes(run(2).key, json.dumps(told).encode())
    ledger = read(lake)
    assert [row.started for row in ledger.runs] == [NOON]
    assert lake.address(run(2).key) in ledger.problems[0]


def test_a_record_nested_without_end_is_named(lake: Lake) -> None:
    append(lake, run(0))
    lake.write_bytes(run(2).key, b"[" * 100_000)
    assert lake.address(run(2).key) in read(lake).problems[0]


def test_one_damaged_beginning_does_not_hide_another(lake: Lake) -> None:
    ends = [NOON + n * HOUR for n in (2, 4)]
    begun = [Beginning("p", "cards", end, end, "d") for end in ends]
    for one in begun:
        append(lake, one)
    lake.write_bytes(begun[0].key, b"{")
    assert [one.started for one in read(lake).unfinished] == [ends[1]]
