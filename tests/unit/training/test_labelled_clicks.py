"""Which clicks have a label at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lockstep.jobs.ingest.clicks import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from training.clicks import labelled_clicks

T = datetime(2017, 11, 7, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEADER = "ip,app,device,os,channel,click_time,attributed_time,is_attributed\n"
# Nothing came of the first; an hour later came the second's, and 14 hours later the third's.
LINES = (
    "1,1,1,1,1,2017-11-07 09:00:00,,0",
    "2,1,1,1,1,2017-11-07 09:00:00,2017-11-07 10:00:00,1",
    "3,1,1,1,1,2017-11-07 09:00:00,2017-11-07 23:00:00,1",
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("clicks")
    (folder / "a.csv").write_text(HEADER + "\n".join(LINES) + "\n")
    ingest(ingest_spec(), folder / "a.csv", lake=Lake.at(folder / "lake"))
    return Lake.at(folder / "lake")


@pytest.mark.parametrize(
    ("hours", "labels"),
    [
        # An early download has no label yet, since what nothing came of has none either.
        (11.9, {}),
        (12, {1: (0, 12), 2: (1, 12)}),
        (13.9, {1: (0, 12), 2: (1, 12)}),
        (14, {1: (0, 12), 2: (1, 12), 3: (1, 14)}),
    ],
)
def test_a_click_is_labelled_when_its_window_has_closed(
    lake: Lake, hours: float, labels: dict[int, tuple[int, int]]
) -> None:
    rows = labelled_clicks(lake, T + hours * HOUR)
    found = {
        row["ip"]: (row["label"], (row["label_known_at"] - T) / HOUR) for row in rows.to_dicts()
    }
    assert found == labels
    assert {"window_end_timestamp", "attributed"}.isdisjoint(rows.columns)
