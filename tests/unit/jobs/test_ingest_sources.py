"""Files cut into stretches and put together again: no row lost, doubled or renumbered."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from raw_transactions import COMMENT, as_text, good_rows, spoiled, write_csv, write_parquet

from lockstep.jobs.ingest import survey as survey_module
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.ingest.source import Place, Source
from lockstep.jobs.ingest.survey import survey
from lockstep.jobs.ingest.text import parse_text, survey_text
from lockstep.lake.lake import Lake

SPEC = ingest_spec()
NAMES = ("a", "b")

fields = st.sampled_from(["", "0", "12", "x-y", '"q,r"', "Ä", " "])
lines = st.tuples(fields, fields).map(",".join)
others = st.sampled_from(["", "# b,c", "#"])
texts = st.lists(lines | others, max_size=12).map("\n".join)


def data_lines(text: str) -> list[str]:
    found = text.replace("\r", "").removeprefix("\ufeff").split("\n")
    return [line for line in found if line.strip() and not line.startswith("#")]


@settings(max_examples=300)
@given(
    texts,
    st.sampled_from(["", "a,b\n", "\ufeff# x\na,b\n", "\ufeffa,b\n", "\n\n"]),
    st.sampled_from(["", "\n", "\n\n"]),
    st.integers(1, 40),
    st.booleans(),
)
def test_text_cut_anywhere_has_the_rows_of_the_whole(
    text: str, head: str, tail: str, size: int, dos: bool
) -> None:
    data = (head + text + tail).replace("\n", "\r\n" if dos else "\n").encode()
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    names, stretches = survey_text("x", chunks, known=NAMES, headerless=NAMES)
    rows = [line for line in data_lines(data.decode()) if line != "a,b"]
    assert names == NAMES
    assert sum(stretch.rows for stretch in stretches) == len(rows)
    found = [parse_text("x", data[s.start : s.stop], names) for s in stretches]
    assert [part.height for part in found] == [s.rows for s in stretches]
    expected = [line.replace('"q,r"', "q|r").split(",") for line in rows]
    assert [list(row) for part in found for row in part.rows()] == [
        [field.replace("|", ",") for field in row] for row in expected
    ]


def place_of(path: Path) -> Place:
    return Place.at(path)


def source_of(path: Path) -> Source:
    place = place_of(path)
    return Source.of(place, [survey(place.lake, file, SPEC) for file in place.files])


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of a few rows."""
    monkeypatch.setattr(survey_module, "_ROWS_A_STRETCH", 5)
    monkeypatch.setattr(survey_module, "_CHUNK_BYTES", 300)


@pytest.mark.usefixtures("short")
def test_splits_number_the_rows_of_each_file_from_one(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    write_csv(folder / "1.csv", good_rows(13))
    write_parquet(folder / "2.parquet", good_rows(12, first_id=13))
    source = source_of(folder)
    assert len(source.splits) == 3 + 3
    read = [split.read() for split in source.splits]
    numbers = pl.concat(
        [
            part.select("file", "row_number", pl.col("transaction_id").cast(pl.Int64))
            for part in read
        ]
    )
    expected = [(0, n + 1, n) for n in range(13)] + [(1, n + 1, 13 + n) for n in range(12)]
    assert numbers.rows() == expected
    assert [split.last_row for split in source.splits] == [part["row_number"][-1] for part in read]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("rows_a_bucket", [7, 1_000])
def test_rejected_rows_of_every_split_stand_as_they_were(
    tmp_path: Path, rows_a_bucket: int
) -> None:
    raw = spoiled(spoiled(good_rows(30), 2, TX_AMOUNT="-1"), 28, TX_FRAUD="x")
    lake, path = Lake.at(tmp_path / "lake"), write_csv(tmp_path / "a.csv", raw)
    engine = LocalEngine(rows_a_bucket)
    ingest(SPEC, path, lake=lake, engine=engine)
    table = RejectedTable(lake, SPEC.rejected)
    assert table.scan().collect()["row_number"].to_list() == [3, 29]
    assert len(lake.list(f"{SPEC.rejected}/source")) == 2
    kept = table.scan().select(name.lower() for name in raw.columns).collect()
    assert kept.rows() == [raw.row(2), raw.row(28)]


def test_the_hash_of_a_file_is_its_bytes_and_of_a_folder_its_files(tmp_path: Path) -> None:
    for name in ("one", "two", "same"):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name / "a.csv", good_rows(3 if name == "two" else 2))
    one, two, same = (source_of(tmp_path / name) for name in ("one", "two", "same"))
    assert one.sha256 == same.sha256 != two.sha256
    assert source_of(tmp_path / "one" / "a.csv").sha256 != one.sha256
    (tmp_path / "one" / "a.csv").rename(tmp_path / "one" / "b.csv")
    assert source_of(tmp_path / "one").sha256 != same.sha256


def test_a_folder_below_a_folder_counts_too_and_names_come_in_order(tmp_path: Path) -> None:
    for number, name in enumerate(("b/1.csv", "a.csv", "b/0.csv")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_csv(path, good_rows(1, first_id=number))
    assert source_of(tmp_path / "in").files == ("a.csv", "b/0.csv", "b/1.csv")


def test_a_header_counts_wherever_comments_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = as_text(good_rows(4)).write_csv()
    path.write_text(COMMENT * 40 + "\n" + text)
    chunks = [path.read_bytes()[at : at + 64] for at in range(0, path.stat().st_size, 64)]
    names, stretches = survey_text("x", chunks, known=SPEC.names, headerless=SPEC.headerless)
    assert names == tuple(name.lower() for name in good_rows(1).columns)
    assert sum(stretch.rows for stretch in stretches) == 4


def test_text_that_breaks_off_in_a_character_is_no_text() -> None:
    with pytest.raises(IngestError, match="cannot be read as UTF-8 text"):
        survey_text("x", [b"1,2\n1,\xc3"], known=NAMES, headerless=NAMES)


def test_a_file_keeps_its_rows_when_its_folder_gets_more(tmp_path: Path) -> None:
    lake, folder = Lake.at(tmp_path / "lake"), tmp_path / "in"
    folder.mkdir()
    write_csv(folder / "1.csv", good_rows(5))
    first = ingest(SPEC, folder, lake=lake)
    write_csv(folder / "2.csv", good_rows(5, first_id=5))
    second = ingest(SPEC, folder, lake=lake)
    assert (first.accepted, second.accepted, second.already_there) == (5, 5, 5)
    both = tmp_path / "both"
    ingest(
        SPEC,
        write_csv(tmp_path / "b.csv", pl.concat([good_rows(5), good_rows(5, first_id=5)])),
        lake=Lake.at(both),
    )
    for name in ("fraud/transactions", "fraud/verdicts"):
        left, right = (each.table(name).scan().collect() for each in (lake, Lake.at(both)))
        assert_frame_equal(left, right)
