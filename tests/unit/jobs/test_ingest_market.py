"""Price bars into the lake: when they are known, in which units, and which are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from raw_bars import HOUR, START, raw_bars, spoiled, write

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.market import ingest_spec
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.windows.errors import WindowSpecError

TABLE = "market/bars_4h"


def taken(lake: Lake, rows: pl.DataFrame, name: str = "bars.csv") -> IngestReceipt:
    """The receipt, however many rows are bad."""
    path = write(Path(lake.uri).with_name(name), rows)
    return ingest(ingest_spec(asset_id=7), path, lake=lake, max_rejected_share=1.0)


def stored(lake: Lake) -> pl.DataFrame:
    return lake.table(TABLE).scan().collect().sort("asset_id", "event_timestamp", "is_deleted")


def test_a_bar_is_known_at_its_end_in_ticks_and_lots(local_lake: Lake) -> None:
    assert taken(local_lake, raw_bars(1)).accepted == 1
    end = (START + 4 * HOUR).replace(tzinfo=UTC)
    assert stored(local_lake).row(0, named=True) == {
        "bar_close_us": int(end.timestamp()) * 1_000_000,
        "asset_id": 7,
        "bar_id": int(end.timestamp()) // 60 * 2**20 + 7,
        "event_timestamp": end,
        "created_timestamp": end,
        "open_ticks": 100_500_000,
        "high_ticks": 103_250_000,
        "low_ticks": 99_000_000,
        "close_ticks": 101_000_001,
        "volume_lots": 250_000,
        "is_deleted": False,
    }


def test_another_interval_has_another_table(local_lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", raw_bars(1))
    ingest(ingest_spec(asset_id=7, interval="1h"), path, lake=local_lake)
    times = local_lake.table("market/bars_1h").scan().collect()["event_timestamp"]
    assert times.to_list() == [datetime(2023, 1, 1, 1, tzinfo=UTC)]
    with pytest.raises(WindowSpecError, match="'hourly' is not a length of time"):
        ingest_spec(interval="hourly")


def test_a_file_of_one_asset_needs_to_be_told_which(local_lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", raw_bars(1))
    with pytest.raises(IngestError, match=r"lacks the columns \['asset_id'\].*option"):
        ingest(ingest_spec(), path, lake=local_lake)


def test_the_assets_of_a_file_are_its_own(local_lake: Lake) -> None:
    both = pl.concat([raw_bars(2, asset_id="1"), raw_bars(2, asset_id="2")])
    assert taken(local_lake, both).accepted == 4
    assert stored(local_lake)["asset_id"].to_list() == [1, 1, 2, 2]


@pytest.mark.parametrize("asset_id", [-1, 2**20])
def test_the_id_of_an_asset_has_bounds(local_lake: Lake, asset_id: int) -> None:
    with pytest.raises(IngestError, match="asset-id is .*, expected 0 to 1,048,575"):
        ingest_spec(asset_id=asset_id)
    receipt = taken(local_lake, raw_bars(1, asset_id=str(asset_id)))
    assert (receipt.rejected, receipt.out_of_range) == (1, 1)


def test_no_two_bars_have_one_id(local_lake: Lake) -> None:
    both = [raw_bars(50, asset_id=asset) for asset in ("0", "1", "1048575")]
    assert taken(local_lake, pl.concat(both)).accepted == 150
    assert stored(local_lake)["bar_id"].n_unique() == 150


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"close": ""}, "close:null"),
        ({"open": "0"}, "open:too_small; open:below_another"),
        ({"volume": "-1"}, "volume:too_small"),
        ({"high": "98.9"}, "high:below_another"),
        ({"high": "102.5"}, "high:below_another"),
        ({"low": "104"}, "open:below_another; close:below_another"),
        ({"close": "1.0000001"}, "close:too_precise"),
        ({"timestamp": "yesterday"}, "bar_close_us:not_a_timestamp"),
        ({"timestamp": "2024-02-01 01:00:00"}, "bar_close_us:off_grid"),
        ({"high": "", "low": "x"}, "high:null; low:not_a_number"),
    ],
)
def test_a_bar_that_cannot_be_is_kept_aside(
    local_lake: Lake, values: dict[str, str], reason: str
) -> None:
    receipt = taken(local_lake, spoiled(raw_bars(), 2, **values))
    assert (receipt.accepted, receipt.rejected) == (5, 1)
    assert dict(receipt.rejected_by_reason) == dict.fromkeys(reason.split("; "), 1)


def test_a_flat_bar_is_good(local_lake: Lake) -> None:
    flat = raw_bars(1, open="5", high="5", low="5", close="5", volume="0")
    assert taken(local_lake, flat).accepted == 1


def test_order_does_not_matter_and_of_doubles_the_first_counts(local_lake: Lake) -> None:
    rows = pl.concat([raw_bars().reverse(), raw_bars(2, close="102")])
    receipt = taken(local_lake, rows)
    assert (receipt.accepted, receipt.duplicates) == (6, 2)
    assert stored(local_lake)["close_ticks"].to_list() == [
        (101 + n) * 1_000_000 + 1 for n in range(6)
    ]


def test_a_restated_bar_is_a_correction_known_when_it_was_made(local_lake: Lake) -> None:
    first = raw_bars(3).with_columns(created_timestamp=pl.lit(str(START + 12 * HOUR)))
    restated = spoiled(first, 1, close="102.5", created_timestamp=str(START + 30 * HOUR))
    assert taken(local_lake, first).late == 2
    receipt = taken(local_lake, restated[1:2], "restated.csv")
    assert (receipt.accepted, receipt.corrections) == (1, 1)
    old, new = (
        stored(local_lake)
        .filter(pl.col("created_timestamp") == (START + 30 * HOUR).replace(tzinfo=UTC))[
            "close_ticks", "is_deleted"
        ]
        .sort("is_deleted")
        .rows()
    )
    assert (old, new) == ((102_500_000, False), (102_000_001, True))
    assert dict(taken(local_lake, first[1:2], "again.csv").rejected_by_reason) == {}


def test_a_json_list_says_the_same_as_text(local_lake: Lake, tmp_path: Path) -> None:
    names = {"timestamp": "TimeKey", **{c: c.title() for c in ("open", "high", "low", "close")}}
    as_records = (
        raw_bars()
        .rename(names)
        .with_columns(
            pl.col("TimeKey").str.replace(" ", "T") + "Z",
            pl.col("Open", "High", "Low", "Close", "volume").cast(pl.Float64),
        )
    )
    assert taken(local_lake, as_records, "bars.json").accepted == 6
    other = Lake.at(tmp_path / "other" / "lake")
    (tmp_path / "other").mkdir()
    taken(other, raw_bars())
    assert stored(local_lake).equals(stored(other))


@pytest.mark.parametrize("text", ["[{", '[{"timestamp": 1}, 3]', "[1, 2]"])
def test_what_is_no_list_of_records_is_refused(local_lake: Lake, tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(IngestError, match=r"a.json"):
        ingest(ingest_spec(asset_id=1), path, lake=local_lake)
    assert not local_lake.list("market")
