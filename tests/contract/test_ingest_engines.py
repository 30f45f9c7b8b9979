"""What every engine of the ingest does with bad and good input: the same, byte for byte."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from fact_files import frame, partitions, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_oracle import Row
from raw_transactions import as_text, good_rows, spoiled, write_csv, write_headerless, write_parquet

from lockstep.jobs.ingest.engine import Engine
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.ingest.spark import SparkEngine
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake

ENGINES = ("local", "local in buckets", "spark")
ROWS = good_rows(12)
# Each example is an ingest by every engine, and each of those some jobs of Spark.
FEW = settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    return made(request.param, request)


def made(name: str, request: pytest.FixtureRequest) -> Engine:
    """The engine of that name; the others start no Spark."""
    if name == "spark":
        return SparkEngine(request.getfixturevalue("spark"), rows_a_bucket=5)
    return LocalEngine() if name == "local" else LocalEngine(rows_a_bucket=3)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder for files."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def taken(engine: Engine, source: Path | str, lake: Lake) -> IngestReceipt:
    """The receipt, however many rows are bad."""
    return ingest(ingest_spec(), source, lake=lake, engine=engine, max_rejected_share=1.0)


def refused(engine: Engine, source: Path, message: str) -> None:
    """Asserts that the source is refused so, with good rows in the lake that stay as they are."""
    lake = Lake.at(source.parent / "lake")
    good = write_parquet(source.parent / "good.parquet", good_rows(3, first_id=100))
    taken(LocalEngine(), good, lake)
    before = {key: lake.read_bytes(key) for key in lake.list("") if "_staging" not in key}
    with pytest.raises(IngestError, match=message):
        ingest(ingest_spec(), source, lake=lake, engine=engine)
    after = {key: lake.read_bytes(key) for key in lake.list("") if "_staging" not in key}
    assert after == before


def whole(rows: pl.DataFrame) -> dict[str, bytes]:
    """The partitions that a plain ingest of good rows leaves."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_parquet(Path(folder) / "whole.parquet", rows)
        taken(LocalEngine(), path, Lake.at(f"{folder}/lake"))
        return partitions(Lake.at(f"{folder}/lake"))


def test_unsorted_rows_are_taken_as_sorted_ones(engine: Engine, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", ROWS.sample(fraction=1, shuffle=True, seed=4))
    assert taken(engine, path, Lake.at(tmp_path / "lake")).accepted == 12
    assert partitions(Lake.at(tmp_path / "lake")) == whole(ROWS)


def test_of_duplicates_the_first_is_taken(engine: Engine, tmp_path: Path) -> None:
    others = pl.concat([ROWS[4:7].with_columns(TX_AMOUNT=1.0), ROWS[4:5]])
    path = write_parquet(tmp_path / "a.parquet", pl.concat([ROWS, others]))
    receipt = taken(engine, path, Lake.at(tmp_path / "lake"))
    assert (receipt.accepted, receipt.duplicates) == (12, 4)
    assert dict(receipt.rejected_by_reason) == {"duplicate_id": 4}
    assert partitions(Lake.at(tmp_path / "lake")) == whole(ROWS)


@pytest.mark.parametrize(
    ("field", "value", "problem", "out_of_range"),
    [
        ("TRANSACTION_ID", "", "null", 0),
        ("CUSTOMER_ID", "", "null", 0),
        ("TX_DATETIME", "", "null", 0),
        ("TX_DATETIME", "1969-12-31 23:59:59", "too_small", 1),
        ("TX_DATETIME", "2100-01-01 00:00:00", "too_large", 1),
        ("TX_AMOUNT", "92233720368547758.08", "not_a_number", 0),
        ("TX_AMOUNT", "1000000000.01", "too_large", 1),
        ("TX_AMOUNT", "-0.01", "too_small", 1),
        ("TRANSACTION_ID", "9223372036854775808", "not_an_integer", 0),
    ],
)
def test_a_bad_value_is_counted_and_kept_aside(
    engine: Engine, tmp_path: Path, field: str, value: str, problem: str, out_of_range: int
) -> None:
    bad = spoiled(spoiled(ROWS, 2, **{field: value}), 9, **{field: value})
    lake = Lake.at(tmp_path / "lake")
    receipt = taken(engine, write_csv(tmp_path / "a.csv", bad), lake)
    reason = f"{field.lower()}:{problem}"
    assert (receipt.rows_in, receipt.accepted, receipt.rejected) == (12, 10, 2)
    assert dict(receipt.rejected_by_reason) == {reason: 2}
    assert receipt.out_of_range == 2 * out_of_range
    kept = RejectedTable(lake, "fraud/transactions_rejected").scan().collect()
    assert kept.select("source_file", "row_number", "reason").rows() == [
        ("a.csv", 3, reason),
        ("a.csv", 10, reason),
    ]
    assert kept[field.lower()].to_list() == [value] * 2


def test_types_that_change_between_two_days_files_are_read_as_they_are(
    engine: Engine, place: Path
) -> None:
    write_parquet(place / "day1.parquet", ROWS[:4])
    cents = pl.col("TX_AMOUNT").round(2).cast(pl.Decimal(12, 2))
    write_parquet(place / "day2.parquet", ROWS[4:7].with_columns(cents).rename(str.lower))
    write_csv(place / "day3.csv", ROWS[7:9].select(reversed(ROWS.columns)))
    write_headerless(place / "day4.txt", as_text(ROWS[9:]).rows())
    lake = Lake.at(place.parent / "lake")
    receipt = taken(engine, place, lake)
    assert (receipt.accepted, receipt.rejected, receipt.source_file) == (12, 0, "files")
    assert partitions(lake) == whole(ROWS)


def test_an_empty_file_adds_nothing_to_its_folder(engine: Engine, place: Path) -> None:
    write_parquet(place / "1.parquet", ROWS)
    write_parquet(place / "2.parquet", ROWS.clear())
    (place / "3.csv").write_text(",".join(ROWS.columns) + "\n")
    (place / "4.csv").touch()
    assert taken(engine, place, Lake.at(place.parent / "lake")).accepted == 12


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_nothing_but_empty_files_is_refused(engine: Engine, place: Path, name: str) -> None:
    (place / name).touch()
    write_parquet(place / "b.parquet", ROWS.clear())
    refused(engine, place, "files has no rows")


def late_arrivals(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(CREATED_TIMESTAMP=datetime(2018, 5, 1))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (ROWS.drop("TX_AMOUNT"), r"2.parquet lacks the columns \['tx_amount'\]"),
        (ROWS.with_columns(SHOP=1), r"2.parquet has unknown columns \['SHOP'\]"),
        (ROWS.with_columns(TX_AMOUNT=pl.lit(True)), "2.parquet: column 'tx_amount' is Boolean"),
        (late_arrivals(ROWS), "only one has the column 'created_timestamp'; ingest the files"),
        (ROWS.with_columns(IS_DELETED=1), r"lacks the columns \['created_timestamp'\]"),
    ],
)
def test_columns_that_change_between_two_days_files_are_refused(
    engine: Engine, place: Path, second: pl.DataFrame, message: str
) -> None:
    write_parquet(place / "1.parquet", good_rows(3, first_id=50))
    write_parquet(place / "2.parquet", second)
    refused(engine, place, message)


def cut_off(path: Path) -> None:
    write_parquet(path, ROWS)
    path.write_bytes(path.read_bytes()[:-20])


def ragged(path: Path) -> None:
    write_csv(path, ROWS)
    path.write_text(path.read_text() + "1,2,3\n")


def open_quote(path: Path) -> None:
    write_csv(path, ROWS)
    path.write_text(path.read_text() + '"' + "1," * 8 + "1\n")


def corrupt_page(path: Path) -> None:
    data = bytearray(write_parquet(path, ROWS).read_bytes())
    data[4:60] = b"\xff" * 56
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_off, "2.any cannot be read as parquet"),
        (corrupt_page, "2.any cannot be read as parquet"),
        (
            ragged,
            "2.any has 1 lines with another number of fields than 9, the first with 3: '1,2",
        ),
        (open_quote, "2.any .*number of fields|2.any cannot be read as comma-separated text"),
        (lambda path: path.write_bytes(b"\xff\xfe,1\n"), "2.any cannot be read as UTF-8 text"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_of_its_folder_is_taken(
    engine: Engine, place: Path, damage: Callable[[Path], None], message: str
) -> None:
    write_parquet(place / "1.parquet", good_rows(3, first_id=50))
    damage(place / "2.any")
    write_parquet(place / "3.parquet", good_rows(3, first_id=60))
    refused(engine, place, message)


def test_more_bad_rows_than_allowed_leave_no_trace(engine: Engine, place: Path) -> None:
    write_csv(place / "1.csv", spoiled(ROWS, 3, TX_AMOUNT="-1"))
    write_csv(place / "2.csv", spoiled(good_rows(4, first_id=90), 0, TX_FRAUD="7"))
    refused(engine, place, "2 of 16 rows are bad, more than the allowed 10.0%: tx_amount:too_small")


def test_a_damaged_partition_is_named_before_another_is_touched(
    engine: Engine, tmp_path: Path
) -> None:
    lake = Lake.at(tmp_path / "lake")
    taken(engine, write_parquet(tmp_path / "a.parquet", ROWS), lake)
    table = lake.table("fraud/verdicts")
    lake.write_bytes(table.part(table.days()[1]), b"PAR1 and nothing else")
    before = partitions(lake)
    with pytest.raises(LakeError, match="cannot be read as parquet"):
        taken(engine, write_parquet(tmp_path / "b.parquet", good_rows(14)), lake)
    assert partitions(lake) == before


MessyFile = tuple[list[Row], bool, int, str]
messy_texts = st.sampled_from(["", "x", "-1", "99999999999999999999"])
messy_files = st.lists(
    st.tuples(st.lists(rows, max_size=8), st.booleans(), st.integers(0, 9), messy_texts),
    min_size=1,
    max_size=3,
)


def write_messy(folder: Path, files: Sequence[MessyFile]) -> None:
    """A file each, as text with a spoiled row or as parquet."""
    for number, (facts, as_csv, row, text) in enumerate(files):
        path = folder / f"{number}.any"
        if as_csv and facts:
            write_csv(path, spoiled(frame(facts), row % len(facts), TX_AMOUNT=text))
        elif facts:
            write_parquet(path, frame(facts))


@FEW
@given(st.lists(messy_files, min_size=1, max_size=2))
def test_engines_leave_the_same_bytes_of_messy_folders(
    request: pytest.FixtureRequest, sequence: list[list[MessyFile]]
) -> None:
    found = []
    for name in ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            lake, receipts = Lake.at(f"{folder}/lake"), []
            for number, files in enumerate(sequence):
                place = Path(folder) / f"{number}"
                place.mkdir()
                write_messy(place, files)
                if any(facts for facts, *_ in files):
                    receipts.append(replace(taken(made(name, request), place, lake), seconds=0))
            rejected = lake.list("fraud/transactions_rejected/source")
            sides = {key: lake.read_bytes(key) for key in rejected}
            found.append((receipts, partitions(lake), sides))
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.parametrize("rows_a_bucket", [2_000_000, 3])
def test_a_source_and_a_lake_on_s3(s3_uri: str, place: Path, rows_a_bucket: int) -> None:
    source = Lake.at(f"{s3_uri}/in")
    for number, part in enumerate((ROWS[:5], ROWS[5:])):
        path = write_csv(place / "part.csv", part)
        source.write_bytes(f"{number}.csv", path.read_bytes())
    lake, engine = Lake.at(f"{s3_uri}/lake"), LocalEngine(rows_a_bucket)
    receipt = taken(engine, source.uri, lake)
    again = taken(engine, f"{source.uri}/0.csv", lake)
    assert (receipt.accepted, again.already_there) == (12, 5)
    assert partitions(lake) == whole(ROWS)
