"""Single rows: what is rejected and why, and that none is ever lost."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_transactions import FIELDS, good_rows, spoiled, write_csv, write_headerless, write_parquet

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

REJECTED = "fraud/transactions_rejected"


def ingest_all(path: Path, lake: Path) -> IngestReceipt:
    """The receipt of the file, however many of its rows are bad."""
    return ingest(ingest_spec(), path, lake=Lake.at(lake), max_rejected_share=1.0)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("TRANSACTION_ID", "", "null"),
        ("TRANSACTION_ID", "seven", "not_an_integer"),
        ("CUSTOMER_ID", "-1", "too_small"),
        ("CUSTOMER_ID", "1.5", "not_an_integer"),
        ("TERMINAL_ID", "9" * 30, "not_an_integer"),
        ("TX_AMOUNT", "-0.01", "too_small"),
        ("TX_AMOUNT", "1000000000.01", "too_large"),
        ("TX_AMOUNT", "0.001", "too_precise"),
        ("TX_AMOUNT", "free", "not_a_number"),
        ("TX_DATETIME", "", "null"),
        ("TX_DATETIME", "1969-12-31 23:59:59", "too_small"),
        ("TX_DATETIME", "2100-01-01 00:00:00", "too_large"),
        ("TX_DATETIME", "2018-04-01T00:00:00+03:00", "other_zone"),
        ("TX_DATETIME", "2018-04-31 00:00:00", "not_a_timestamp"),
        ("TX_TIME_DAYS", "-1", "too_small"),
        ("TX_FRAUD", "2", "too_large"),
        ("TX_FRAUD", "", "null"),
        ("TX_FRAUD_SCENARIO", "4", "too_large"),
    ],
)
def test_a_bad_value_is_kept_aside_with_its_reason(
    tmp_path: Path, field: str, value: str, problem: str
) -> None:
    raw = spoiled(good_rows(5), 2, **{field: value})
    receipt = ingest_all(write_csv(tmp_path / "a.csv", raw), tmp_path / "lake")
    reason = f"{field.lower()}:{problem}"
    assert (receipt.accepted, receipt.rejected_by_reason) == (4, {reason: 1})
    kept = RejectedTable(Lake.at(tmp_path / "lake"), REJECTED).scan().collect().row(0, named=True)
    assert kept["reason"] == reason
    assert (kept["source_file"], kept["row_number"]) == ("a.csv", 3)
    assert {name: kept[name.lower()] for name in FIELDS} == raw.row(2, named=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("TRANSACTION_ID", str(2**63 - 1)),
        ("TX_AMOUNT", "0"),
        ("TX_AMOUNT", "1000000000.00"),
        ("TX_DATETIME", "1970-01-01 00:00:00"),
        ("TX_DATETIME", "2099-12-31 23:59:59.999999"),
        ("TX_TIME_SECONDS", ""),
        ("TX_FRAUD_SCENARIO", "3"),
    ],
)
def test_a_value_on_the_edge_is_accepted(tmp_path: Path, field: str, value: str) -> None:
    raw = spoiled(good_rows(3), 1, **{field: value})
    assert ingest_all(write_csv(tmp_path / "a.csv", raw), tmp_path / "lake").accepted == 3


def test_all_reasons_of_a_row_are_named(tmp_path: Path) -> None:
    raw = spoiled(good_rows(2), 0, TX_AMOUNT="-1", CUSTOMER_ID="x", TX_FRAUD="")
    receipt = ingest_all(write_csv(tmp_path / "a.csv", raw), tmp_path / "lake")
    kept = RejectedTable(Lake.at(tmp_path / "lake"), REJECTED).scan().collect()
    assert kept["reason"].item() == (
        "customer_id:not_an_integer; tx_amount:too_small; tx_fraud:null"
    )
    assert receipt.rejected == 1
    assert len(receipt.rejected_by_reason) == 3


def test_the_first_good_row_of_an_id_stays(tmp_path: Path) -> None:
    rows = good_rows(4).with_columns(TRANSACTION_ID=7, TX_AMOUNT=pl.Series([-1.0, 2.0, 2.0, 4.0]))
    receipt = ingest_all(write_parquet(tmp_path / "a.parquet", rows), tmp_path / "lake")
    assert receipt.rejected_by_reason == {"duplicate_id": 2, "tx_amount:too_small": 1}
    stored = Lake.at(tmp_path / "lake").table("fraud/transactions").scan().collect()
    assert stored["amount_cents"].to_list() == [200]


def test_rejected_rows_of_parquet_are_kept_as_text(tmp_path: Path) -> None:
    rows = good_rows(3).with_columns(TX_AMOUNT=pl.Series([1.0, float("nan"), None]))
    ingest_all(write_parquet(tmp_path / "a.parquet", rows), tmp_path / "lake")
    kept = RejectedTable(Lake.at(tmp_path / "lake"), REJECTED).scan().collect()
    assert kept["tx_amount"].to_list() == ["NaN", None]
    assert kept["tx_datetime"].to_list() == [
        "2018-04-01 07:00:31.000000",
        "2018-04-01 14:00:31.000000",
    ]


def test_exactly_the_allowed_share_passes(tmp_path: Path) -> None:
    raw = spoiled(good_rows(10), 4, TX_AMOUNT="-1")
    path = write_csv(tmp_path / "a.csv", raw)
    assert ingest(ingest_spec(), path, lake=Lake.at(tmp_path / "lake")).rejected == 1


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"rows_in": 3}, "3 rows came in, 2 are accounted for"),
        ({"late": 1, "corrections": 1}, "1 rows came in, 2 are accounted for"),
    ],
)
def test_a_receipt_that_loses_a_row_cannot_be_made(counts: dict[str, int], message: str) -> None:
    nothing = dict.fromkeys(("corrections", "deletions", "late", "duplicates", "out_of_range"), 0)
    some = {"rows_in": 2, "accepted": 1, "already_there": 1, "rejected": 0}
    others: dict[str, Any] = {**nothing, **some, **counts}
    with pytest.raises(IngestError, match=message):
        IngestReceipt(
            use_case="fraud",
            source_file="a.csv",
            source_sha256="0" * 64,
            rejected_by_reason={},
            first_day=None,
            last_day=None,
            days_written={},
            created_time_from="event_time",
            seconds=0.0,
            **others,
        )


# Each field's texts, and what they mean; None where they mean nothing.
TEXTS: dict[str, dict[str, Any]] = {
    "TRANSACTION_ID": {"0": 0, "1": 1, " 2 ": 2, "3": 3, "x": None, "": None, "-1": None},
    "TX_DATETIME": {
        "2019-08-22 06:51:03": 1_566_456_663_000_000,
        "2019-08-22T06:51:03Z": 1_566_456_663_000_000,
        "2019-08-23 00:00:00.5": 1_566_518_400_500_000,
        "2019-08-22 24:00:00": None,
        "2019-08-22 06:51:03+03:00": None,
        "1900-01-01 00:00:00": None,
    },
    "CUSTOMER_ID": {"0": 0, "5": 5, "-999999": None},
    "TERMINAL_ID": {"711": 711, "Err": None},
    "TX_AMOUNT": {"70.91": 7_091, "285.79999999999995": 28_580, "-1": None, "1.005": None},
    "TX_TIME_SECONDS": {"24663": 24_663, "": 0, "y": None},
    "TX_TIME_DAYS": {"0": 0},
    "TX_FRAUD": {"0": 0, "1": 1, "2": None},
    "TX_FRAUD_SCENARIO": {"0": 0, "3": 3, "4": None},
}
GOOD_TEXTS = {
    field: [t for t, v in texts.items() if v is not None] for field, texts in TEXTS.items()
}
good_texts = st.tuples(*(st.sampled_from(GOOD_TEXTS[field]) for field in FIELDS))
any_texts = st.tuples(*(st.sampled_from(list(TEXTS[field])) for field in FIELDS))
messy_files = st.lists(st.lists(good_texts | any_texts, min_size=1, max_size=8), max_size=3)


def meaning(row: tuple[str, ...]) -> dict[str, Any]:
    return {field: TEXTS[field][text] for field, text in zip(FIELDS, row, strict=True)}


@settings(max_examples=40)
@given(messy_files)
def test_no_row_of_any_file_is_ever_lost(files: list[list[tuple[str, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, expected = Path(folder) / "lake", {}
        for number, rows in enumerate(files):
            path = write_headerless(Path(folder) / f"{number}.txt", rows)
            receipt = ingest_all(path, lake)
            seen: set[int] = set()
            outcome = {"accepted": 0, "already_there": 0, "rejected": 0}
            for row in rows:
                outcome[_place(meaning(row), seen, expected)] += 1
            assert outcome == {name: getattr(receipt, name) for name in outcome}
            assert receipt.rows_in == len(rows)
            _check_rejected(lake, path, rows, receipt.rejected)
        _check_lake(lake, expected)


def _place(row: dict[str, Any], seen: set[int], lake: dict[int, dict[str, Any]]) -> str:
    """Where the rules put one row; `seen` is the file's ids so far, `lake` the stored rows."""
    key = row["TRANSACTION_ID"]
    if None in row.values() or key in seen:
        return "rejected"
    seen.add(key)
    stored = {k: v for k, v in row.items() if k not in ("TX_TIME_SECONDS", "TX_TIME_DAYS")}
    if key not in lake:
        lake[key] = stored
        return "accepted"
    return "already_there" if lake[key] == stored else "rejected"


def _check_rejected(lake: Path, path: Path, rows: list[tuple[str, ...]], count: int) -> None:
    """The side table has `count` rows of the file, each as it stood there."""
    own = pl.col("source_file") == path.name
    table = RejectedTable(Lake.at(lake), REJECTED)
    any_kept = any(Path(table.address).glob("s*"))
    kept = table.scan().filter(own).collect().to_dicts() if any_kept else []
    # A file with the same bytes as an earlier one takes that one's place.
    assert len(kept) == count
    for row in kept:
        assert tuple(row[field.lower()] for field in FIELDS) == rows[row["row_number"] - 1]
        assert row["reason"]


def _check_lake(lake: Path, expected: dict[int, dict[str, Any]]) -> None:
    table = Lake.at(lake).table("fraud/transactions")
    rows = table.scan().collect() if table.days() else pl.DataFrame()
    assert len(rows) == len(expected)
    for row in rows.to_dicts():
        raw = expected[row["transaction_id"]]
        assert row["amount_cents"] == raw["TX_AMOUNT"]
        assert row["customer_id"] == raw["CUSTOMER_ID"]
        assert int(row["event_timestamp"].timestamp() * 1_000_000) == raw["TX_DATETIME"]
    verdicts = Lake.at(lake).table("fraud/verdicts")
    labels = verdicts.scan().collect() if verdicts.days() else pl.DataFrame({"fraud": []})
    assert sorted(labels["fraud"]) == sorted(row["TX_FRAUD"] for row in expected.values())
