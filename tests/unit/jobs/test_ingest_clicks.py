"""Clicks and attributions out of files that have no ids."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_clicks import ATTRIBUTED, CLICK, HEADER, LATER, line, write_clicks

from lockstep.jobs.ingest.clicks import ingest_spec
from lockstep.jobs.ingest.engine import Engine
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

CREATED = f"{HEADER},created_timestamp"


def taken(path: Path, lake: Lake, *, engine: Engine | None = None) -> IngestReceipt:
    return ingest(ingest_spec(), path, lake=lake, max_rejected_share=1.0, engine=engine)


def stored(lake: Lake, name: str) -> pl.DataFrame:
    return lake.table(f"clicks/{name}").scan().collect()


def files(lake: Lake) -> dict[str, bytes]:
    return {key: lake.read_bytes(key) for key in lake.list("clicks/") if "/day=" in key}


def test_a_click_and_what_came_of_it(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    assert taken(write_clicks(tmp_path / "a.csv", [ATTRIBUTED, CLICK]), lake).accepted == 2
    clicks, verdicts = stored(lake, "clicks"), stored(lake, "attributions")
    assert clicks.columns[3:-1] == ["ip", "app", "device", "os", "channel"]
    assert not {"attributed", "is_attributed", "attributed_time"} & set(clicks.columns)
    known = {row["ip"]: (row["event_timestamp"], row["attributed"]) for row in verdicts.to_dicts()}
    assert known == {
        105560: (datetime(2017, 11, 7, 15, tzinfo=UTC), 1),
        # Nothing came of it within twelve hours.
        87540: (datetime(2017, 11, 7, 21, 30, 38, tzinfo=UTC), 0),
    }
    due = clicks.join(verdicts, on="click_id").select(
        (pl.col("window_end_timestamp") - pl.col("event_timestamp")).alias("d")
    )
    assert due["d"].to_list() == [timedelta(hours=12)] * 2


def test_the_stray_prefix_of_the_published_sample_is_declared(tmp_path: Path) -> None:
    plain, stray = Lake.at(tmp_path / "plain"), Lake.at(tmp_path / "stray")
    taken(write_clicks(tmp_path / "a.csv", [CLICK]), plain)
    taken(write_clicks(tmp_path / "b.csv", [CLICK], header=f"..{HEADER}"), stray)
    assert files(stray) == files(plain)


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        (f"...{HEADER}", CLICK, r"unknown columns \['...ip'\]"),
        (HEADER.replace("app", "..app"), CLICK, r"unknown columns \['..app'\]"),
        (f"{HEADER},..ip", f"{CLICK},1", r"columns \['ip'\] more than once"),
        (f"{HEADER},price", f"{CLICK},1", r"unknown columns \['price'\]"),
        (f"{HEADER},click_id", f"{CLICK},1", r"unknown columns \['click_id'\]"),
        (HEADER.replace(",os", ""), CLICK.replace(",13", "", 1), r"lacks the columns \['os'\]"),
    ],
)
def test_other_columns_are_refused(tmp_path: Path, header: str, lines: str, message: str) -> None:
    with pytest.raises(IngestError, match=message):
        taken(write_clicks(tmp_path / "a.csv", [lines], header=header), Lake.at(tmp_path / "lake"))
    assert Lake.at(tmp_path / "lake").list("") == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("-1,12,1,13,497,2017-11-07 09:30:38,,0", "ip:too_small"),
        ("1,12,1,13,-497,2017-11-07 09:30:38,,0", "channel:too_small"),
        ("1,12,1.5,13,497,2017-11-07 09:30:38,,0", "device:not_an_integer"),
        ("1,12,1,13,497,,,0", "click_time:null"),
        ("1,12,1,13,497,2017-11-07 09:30:38,,2", "is_attributed:too_large"),
        ("1,12,1,13,497,2017-11-07 09:30:38,,1", "attributed_time:contradiction"),
        (
            "1,12,1,13,497,2017-11-07 09:30:38,2017-11-07 09:31:38,0",
            "attributed_time:contradiction",
        ),
        (
            "1,12,1,13,497,2017-11-07 09:30:38,2017-11-07 09:30:37,1",
            "attributed_time:below_another",
        ),
        ("1,12,1,13,497,2017-11-07 09:30:38,soon,1", "attributed_time:not_a_timestamp"),
    ],
)
def test_a_bad_row_is_kept_aside(tmp_path: Path, bad: str, reason: str) -> None:
    lake = Lake.at(tmp_path / "lake")
    receipt = taken(write_clicks(tmp_path / "a.csv", [CLICK, bad, ATTRIBUTED]), lake)
    assert (receipt.accepted, dict(receipt.rejected_by_reason)) == (2, {reason: 1})
    kept = RejectedTable(lake, "clicks/clicks_rejected").scan().collect()
    assert kept.select("row_number", "reason").rows() == [(2, reason)]


rows = st.lists(
    st.builds(
        lambda ip, second, delay: line(
            (
                *(ip, 12, 1, 13, 497),
                f"2017-11-07 09:30:0{second}",
                None if delay is None else f"2017-11-07 09:31:0{delay}",
                int(delay is not None),
            )
        ),
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from([None, None, 1, 2]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=30)  # each is three ingests
@given(rows, st.randoms(use_true_random=False), st.sampled_from([2_000_000, 1]))
def test_every_row_is_a_click_of_its_own_wherever_it_stands(
    lines: list[str], random: object, rows_a_bucket: int
) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        one, other = Lake.at(f"{folder}/one"), Lake.at(f"{folder}/other")
        assert taken(write_clicks(Path(folder) / "a.csv", lines), one).accepted == len(lines)
        assert stored(one, "clicks")["click_id"].n_unique() == len(lines)
        assert stored(one, "clicks")["click_id"].min() >= 0  # type: ignore[operator]
        again = write_clicks(Path(folder) / "b.csv", shuffled)
        taken(again, other, engine=LocalEngine(rows_a_bucket))
        assert files(other) == files(one)
        before = files(one)
        assert taken(again, one).already_there == len(lines)
        assert files(one) == before


def test_of_exports_that_overlap_the_common_rows_are_there_once(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    taken(write_clicks(tmp_path / "a.csv", [CLICK, CLICK, LATER]), lake)
    receipt = taken(write_clicks(tmp_path / "b.csv", [CLICK, ATTRIBUTED, CLICK, CLICK]), lake)
    assert (receipt.accepted, receipt.already_there) == (2, 2)
    assert stored(lake, "clicks").height == 5


def test_an_attribution_that_comes_with_a_later_export_corrects_the_verdict(
    tmp_path: Path,
) -> None:
    lake = Lake.at(tmp_path / "lake")
    first = f"{CLICK},2017-11-07 09:30:38"
    second = "87540,12,1,13,497,2017-11-07 09:30:38,2017-11-07 23:00:00,1,2017-11-07 23:00:00"
    taken(write_clicks(tmp_path / "a.csv", [first], header=CREATED), lake)
    receipt = taken(write_clicks(tmp_path / "b.csv", [first, second], header=CREATED), lake)
    assert (receipt.corrections, receipt.already_there) == (1, 1)
    verdicts = stored(lake, "attributions")
    assert verdicts["click_id"].n_unique() == 1
    assert verdicts.select("attributed", "is_deleted").rows() == [(0, False), (0, True), (1, False)]


@pytest.mark.parametrize("hours", [0, -1, 8_761])
def test_a_window_out_of_range_is_refused(hours: int) -> None:
    with pytest.raises(IngestError, match="attribution-window-hours"):
        ingest_spec(attribution_window_hours=hours)
