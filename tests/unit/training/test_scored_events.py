"""Which events a day has to score: those that hold, wherever their corrections lie."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import chain, pairwise
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.fraud import SCORED_EVENTS
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.lake.stage import Stage
from lockstep.windows.microseconds import microseconds
from training.score import ScoringError, events_of

T0 = datetime(2018, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
_TIME = pl.Datetime("us", "UTC")
_SCHEMA = {
    "transaction_id": pl.Int64,
    "customer_id": pl.Int64,
    "terminal_id": pl.Int64,
    "event_timestamp": _TIME,
    "created_timestamp": _TIME,
    "amount_cents": pl.Int64,
    "is_deleted": pl.Boolean,
}

# The hour of a version of a transaction, over three days; None where it was taken back.
Version = int | None
histories = st.lists(st.lists(st.integers(0, 71) | st.none(), min_size=1, max_size=5), max_size=6)


def facts(number: int, versions: list[Version]) -> list[dict[str, object]]:
    """The rows that say it: a version is created in its turn, and takes the one before back."""

    def row(turn: int, hour: int, created: int, *, is_deleted: bool) -> dict[str, object]:
        at = T0 + hour * HOUR
        times = {"event_timestamp": at, "created_timestamp": T0 + created * 100 * HOUR}
        ids = {"transaction_id": number, "customer_id": 10 + number, "terminal_id": 20}
        return ids | times | {"amount_cents": turn, "is_deleted": is_deleted}

    told = []
    for turn, (before, now) in enumerate(pairwise([None, *versions])):
        if before is not None:
            told.append(row(turn - 1, before, turn, is_deleted=True))
        if now is not None:
            told.append(row(turn, now, turn, is_deleted=False))
    return told


def write(lake: Lake, rows: list[dict[str, object]]) -> None:
    table = pl.DataFrame(rows, _SCHEMA)
    for (day,), part in table.group_by(pl.col("event_timestamp").dt.date()):
        lake.table(SCORED_EVENTS.table).write_day(day, part)


@given(histories)
def test_a_day_always_has_the_last_version_of_what_holds(transactions: list[list[Version]]) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write(lake, list(chain.from_iterable(map(facts, range(6), transactions))))
        for number in range(3):
            expected = sorted(
                (T0 + versions[-1] * HOUR, id_, len(versions) - 1)
                for id_, versions in enumerate(transactions)
                if versions[-1] is not None and versions[-1] // 24 == number
            )
            got = _scored(lake, (T0 + 24 * number * HOUR).date())
            assert got == [(id_, 10 + id_, 20, at, cents) for at, id_, cents in expected]


def _scored(lake: Lake, day: date) -> list[tuple[object, ...]]:
    try:
        rows = events_of(lake, SCORED_EVENTS, day)
    except (LakeError, ScoringError):
        return []
    assert rows["transaction_time_us"].to_list() == [*map(microseconds, rows["event_timestamp"])]
    return rows.drop("created_timestamp", "transaction_time_us").rows()


def test_a_table_with_half_an_ingest_is_not_scored(local_lake: Lake) -> None:
    write(local_lake, facts(1, [5]))
    Stage(local_lake, "fraud", "source").commit({"rows": 1})
    with pytest.raises(LakeError, match="has only a part of what was ingested last"):
        events_of(local_lake, SCORED_EVENTS, T0.date())
