"""Files as a whole: every form that is read, and what makes a file be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from raw_transactions import (
    COMMENT,
    as_text,
    good_rows,
    spoiled,
    write_csv,
    write_headerless,
    write_parquet,
)

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.use_cases import UseCaseError, load_use_case

ROWS = good_rows(12)


def refuse(path: Path, message: str, *, max_rejected_share: float = 0.1) -> None:
    """Asserts that the file is refused so, and that the lake has not so much as a file."""
    lake = path.parent / "lake"
    with pytest.raises(IngestError, match=message):
        ingest(ingest_spec(), path, lake=Lake.at(lake), max_rejected_share=max_rejected_share)
    assert Lake.at(lake).list("") == []


def tables(path: Path) -> list[pl.DataFrame]:
    """Both tables after the file alone has been ingested."""
    lake = path.with_suffix(".lake")
    receipt = ingest(ingest_spec(), path, lake=Lake.at(lake))
    assert receipt.accepted == receipt.rows_in == len(ROWS)
    names = ("fraud/transactions", "fraud/verdicts")
    return [Lake.at(lake).table(name).scan().collect() for name in names]


def headerless(path: Path, rows: pl.DataFrame) -> Path:
    return write_headerless(path, as_text(rows).rows())


def shuffled_csv(path: Path, rows: pl.DataFrame) -> Path:
    return write_csv(path, rows.select(reversed(rows.columns)).rename(str.lower))


def dos_csv(path: Path, rows: pl.DataFrame) -> Path:
    text = as_text(rows).write_csv(line_terminator="\r\n", quote_style="always")
    path.write_bytes(b'\xef\xbb\xbf# made elsewhere, "so to speak"\r\n' + text.encode())
    return path


def utc_parquet(path: Path, rows: pl.DataFrame) -> Path:
    utc = pl.col("TX_DATETIME").dt.replace_time_zone("UTC").dt.cast_time_unit("ns")
    return write_parquet(path, rows.with_columns(utc))


def without_derived_times(path: Path, rows: pl.DataFrame) -> Path:
    return write_parquet(path, rows.drop("TX_TIME_SECONDS", "TX_TIME_DAYS"))


@pytest.mark.parametrize(
    "write",
    [write_csv, headerless, shuffled_csv, dos_csv, utc_parquet, without_derived_times],
)
def test_every_form_gives_the_same_tables(
    tmp_path: Path, write: Callable[[Path, pl.DataFrame], Path]
) -> None:
    expected = tables(write_parquet(tmp_path / "plain.parquet", ROWS))
    suffix = ".parquet" if "parquet" in write.__name__ else ".txt"
    for table, same in zip(tables(write(tmp_path / f"other{suffix}", ROWS)), expected, strict=True):
        assert_frame_equal(table, same)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    refuse(tmp_path / "absent.csv", "there are no files at .*absent.csv; pass a parquet")


@pytest.mark.parametrize("hidden", ["_SUCCESS", ".part.crc", "_temporary/0.parquet"])
def test_a_folder_of_nothing_but_hidden_files(tmp_path: Path, hidden: str) -> None:
    path = tmp_path / "in" / hidden
    path.parent.mkdir(parents=True)
    write_parquet(path, ROWS)
    refuse(tmp_path / "in", "there are no files at .*/in; pass")


@pytest.mark.parametrize("text", ["", COMMENT, "\n\n", ",".join(ROWS.columns) + "\n"])
def test_text_without_rows(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(text)
    refuse(path, "has no rows")


def test_parquet_without_rows(tmp_path: Path) -> None:
    refuse(write_parquet(tmp_path / "empty.parquet", ROWS.clear()), "has no rows")


def test_a_file_of_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    path.touch()
    refuse(path, "has no rows")


@pytest.mark.parametrize("name", ["cut.parquet", "cut.bin"])
def test_parquet_that_was_cut_off(tmp_path: Path, name: str) -> None:
    path = write_parquet(tmp_path / name, ROWS)
    path.write_bytes(path.read_bytes()[:-20])
    refuse(path, "cannot be read as parquet")


def test_text_that_is_called_parquet(tmp_path: Path) -> None:
    refuse(write_csv(tmp_path / "text.parquet", ROWS), "cannot be read as parquet")


@pytest.mark.parametrize("place", [0, -9])
def test_text_that_is_not_utf8(tmp_path: Path, place: int) -> None:
    path = write_csv(tmp_path / "latin.csv", ROWS)
    data = bytearray(path.read_bytes())
    data[place] = 0xFF
    path.write_bytes(data)
    refuse(path, "cannot be read as .*UTF-8 text")


def test_bytes_that_are_called_text(tmp_path: Path) -> None:
    # pyarrow prints errors of its own over ragged lines that are not text; here they are failures.
    path = tmp_path / "bytes.csv"
    path.write_bytes(bytes(range(256)) * 50)
    refuse(path, "cannot be read as UTF-8 text")


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "quote.csv", ROWS)
    path.write_text(path.read_text().replace(",2\n", ',"2\n', 1))
    refuse(path, "cannot be read as comma-separated")


@pytest.mark.parametrize("line", ["1,2,3", "1,2018-04-01 00:00:00,1,1,1.0,0,0,0,0,9"])
def test_a_line_with_another_number_of_fields(tmp_path: Path, line: str) -> None:
    path = headerless(tmp_path / "ragged.txt", ROWS)
    path.write_text(path.read_text() + line + "\n")
    refuse(path, f"1 lines with another number of fields than 9, .*{line}")


def test_text_separated_by_something_else(tmp_path: Path) -> None:
    path = tmp_path / "semicolons.csv"
    as_text(ROWS).write_csv(path, separator=";")
    refuse(path, "another number of fields than 9, the first with 1: 'TRANSACTION_ID;")


def test_an_unknown_column(tmp_path: Path) -> None:
    rows = ROWS.with_columns(MERCHANT=1)
    refuse(write_parquet(tmp_path / "a.parquet", rows), r"unknown columns \['MERCHANT'\]; known")


def test_a_header_of_nothing_but_unknown_names(tmp_path: Path) -> None:
    refuse(write_csv(tmp_path / "a.csv", ROWS.rename(lambda n: f"my_{n}")), "unknown columns")


def test_an_index_written_by_pandas(tmp_path: Path) -> None:
    rows = ROWS.with_row_index("")
    refuse(write_csv(tmp_path / "a.csv", rows), r"unknown columns \[''\].*index=False")


def test_a_missing_column(tmp_path: Path) -> None:
    rows = ROWS.drop("TX_AMOUNT", "CUSTOMER_ID")
    refuse(write_csv(tmp_path / "a.csv", rows), r"lacks the columns \['customer_id', 'tx_amount'\]")


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_column_that_is_there_twice(
    tmp_path: Path, write: Callable[[Path, pl.DataFrame], Path]
) -> None:
    rows = ROWS.with_columns(tx_amount=pl.col("TX_AMOUNT"))
    refuse(write(tmp_path / "a.any", rows), r"has the columns \['tx_amount'\] more than once")


def test_a_parquet_column_in_another_zone(tmp_path: Path) -> None:
    moscow = pl.col("TX_DATETIME").dt.replace_time_zone("Europe/Moscow")
    path = write_parquet(tmp_path / "a.parquet", ROWS.with_columns(moscow))
    refuse(path, "tx_datetime.*Europe/Moscow, expected UTC or none; convert it")


def test_a_parquet_column_of_another_type(tmp_path: Path) -> None:
    rows = ROWS.with_columns(pl.col("TX_DATETIME").cast(pl.Int64))
    refuse(write_parquet(tmp_path / "a.parquet", rows), "'tx_datetime' is Int64, expected timest")


def test_more_bad_rows_than_allowed(tmp_path: Path) -> None:
    rows = spoiled(ROWS, 3, TX_AMOUNT="-1", CUSTOMER_ID="x")
    path = write_csv(tmp_path / "a.csv", pl.concat([rows, spoiled(ROWS, 0, TX_AMOUNT="-2")[:1]]))
    message = "2 of 13 rows are bad, more than the allowed 10.0%: tx_amount:too_small in 2, cust"
    refuse(path, message)


def test_a_file_of_nothing_but_bad_rows(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", ROWS.with_columns(TX_FRAUD=2))
    refuse(path, "12 of 12 rows are bad.*tx_fraud:too_large in 12", max_rejected_share=0.99)


@pytest.mark.parametrize("days", [-1, 3_651])
def test_a_label_delay_that_cannot_be(days: int) -> None:
    with pytest.raises(IngestError, match=f"label-delay-days is {days}, expected 0 to 3,650"):
        ingest_spec(label_delay_days=days)


@pytest.mark.parametrize("name", ["nothing", "column", "fraud.x", "../fraud"])
def test_an_unknown_use_case_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(UseCaseError, match=r"no use case .*known are .*'fraud'"):
        load_use_case("lockstep.jobs.ingest", name, entry="ingest_spec")
