"""T of an event that is decided on after it has become known: in labels, batch and demo alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from lockstep.cli.demo_parts.requests import bodies, cuts_at_the_end, events_after
from lockstep.contract import clicks, fraud
from lockstep.contract.market import SCORED_EVENTS
from lockstep.lake.lake import Lake
from lockstep.windows.microseconds import microseconds
from training.labelled_events import LabelledEvents
from training.score import events_of
from training.use_case import LABEL_KNOWN_AT

T0 = datetime(2023, 1, 1, tzinfo=UTC)
BAR, TICK = timedelta(hours=4), timedelta(microseconds=1)
ENDS = [T0 + n * BAR for n in range(1, 400)]
LABELS, AT_ONCE = "market/labels", "market/at_once"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two assets with a bar every four hours; each bar's label is known with the next one."""
    lake = Lake.at(tmp_path_factory.mktemp("lake"))
    rows = pl.DataFrame(
        {
            "bar_id": range(2 * len(ENDS)),
            "asset_id": [1, 2] * len(ENDS),
            "event_timestamp": [end for end in ENDS for _ in (1, 2)],
        }
    ).with_columns(
        pl.col("event_timestamp").cast(pl.Datetime("us", "UTC")),
        created_timestamp=pl.col("event_timestamp").cast(pl.Datetime("us", "UTC")),
        is_deleted=False,
    )
    labels = rows.with_columns(pl.col("event_timestamp", "created_timestamp") + BAR, up=1)
    at_once = rows.with_columns(up=1)
    for name, table in ((SCORED_EVENTS.table, rows), (LABELS, labels), (AT_ONCE, at_once)):
        for (day,), part in table.group_by(pl.col("event_timestamp").dt.date()):
            lake.table(name).write_day(day, part)
    return lake


def test_only_the_market_decides_after_the_event() -> None:
    """Elsewhere the event is what is scored, and is not in its own windows."""
    delays = [each.SCORED_EVENTS.delay_us for each in (fraud, clicks)]
    assert (delays, SCORED_EVENTS.delay_us) == ([0, 0], 1)


@pytest.mark.parametrize("delay_us", [0, 1])
def test_a_day_has_its_bars_each_at_its_t(lake: Lake, delay_us: int) -> None:
    events, delay = replace(SCORED_EVENTS, delay_us=delay_us), delay_us * TICK
    rows = events_of(lake, events, T0.date() + timedelta(days=1))
    # The bar that ends at midnight is an event of the day that begins then.
    expected = [T0 + timedelta(days=1) + n * BAR + delay for n in range(6) for _ in (1, 2)]
    assert rows["event_timestamp"].to_list() == expected
    assert rows["decision_time_us"].to_list() == [microseconds(t) for t in expected]


@pytest.mark.parametrize("delay_us", [0, 1])
def test_labelled_bars_have_their_t_and_none_that_is_still_to_come(
    lake: Lake, delay_us: int
) -> None:
    events, delay = replace(SCORED_EVENTS, delay_us=delay_us), delay_us * TICK
    rows = LabelledEvents(events, LABELS, "up")(lake, ENDS[10])
    assert rows["event_timestamp"].unique().sort().to_list() == [e + delay for e in ENDS[:10]]
    assert rows["decision_time_us"].max() == microseconds(ENDS[9] + delay)
    assert rows[LABEL_KNOWN_AT].max() == ENDS[10]
    # A label that is known before T is one of a T that nobody has reached.
    rows = LabelledEvents(events, AT_ONCE, "up")(lake, ENDS[10])
    assert rows["event_timestamp"].max() == (ENDS[9] + delay if delay_us else ENDS[10])


def test_the_demo_asks_at_the_t_of_its_cuts(lake: Lake) -> None:
    """So that what was materialised there is compared with the join at T itself."""
    first, cuts = cuts_at_the_end(lake, SCORED_EVENTS, 4)
    assert first == T0
    assert len(cuts) == 4
    assert {cut - TICK for cut in cuts} <= set(ENDS)
    assert cuts == sorted(cuts)
    for cut in cuts:
        asked = events_after(lake, SCORED_EVENTS, cut, 5)
        at_cut = [cut, cut, cut + BAR, cut + BAR, cut + 2 * BAR]
        assert asked["event_timestamp"].to_list()[: len(at_cut)] == at_cut[: asked.height]
        assert asked["decision_time_us"].to_list() == [
            microseconds(t) for t in asked["event_timestamp"]
        ]
        body = bodies(SCORED_EVENTS, asked)[0]
        assert body == {"asset_id": 1, "event_timestamp": cut.isoformat()}


def test_without_a_delay_the_demo_asks_after_its_cuts(lake: Lake) -> None:
    events = replace(SCORED_EVENTS, delay_us=0)
    _, cuts = cuts_at_the_end(lake, events, 4)
    assert all(cut.second == cut.microsecond == 0 for cut in cuts)
    asked = events_after(lake, events, ENDS[100], 3)
    assert asked["event_timestamp"].to_list() == [ENDS[101], ENDS[101], ENDS[102]]
