"""Which rows of a table of facts hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from lockstep.lake.facts import live_rows

T0 = datetime(2018, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
# As (id, event, created, value, is_deleted), hours after T0.
SAID = [
    (1, 5, 1, "first", False),
    (1, 5, 7, "first", True),
    (1, 9, 7, "second", False),
    (2, 3, 3, "only", False),
    (2, 3, 8, "only", True),
]
FACTS = pl.DataFrame(
    [(id_, T0 + at * HOUR, T0 + created * HOUR, *rest) for id_, at, created, *rest in SAID],
    schema=["id", "event_timestamp", "created_timestamp", "value", "is_deleted"],
    orient="row",
)


@pytest.mark.parametrize(
    ("hours", "values"),
    [
        (2, []),
        (4, ["only"]),
        (6, ["first", "only"]),
        (7, ["only"]),
        (8, []),
        (9, ["second"]),
        (None, ["second"]),
    ],
)
def test_a_row_holds_from_when_it_is_known_until_it_is_taken_back(
    hours: int | None, values: list[str]
) -> None:
    known_as_of = None if hours is None else T0 + hours * HOUR
    for facts in (FACTS, FACTS.reverse()):
        live = live_rows(facts.lazy(), ["id"], known_as_of=known_as_of).collect()
        assert sorted(live["value"]) == values
