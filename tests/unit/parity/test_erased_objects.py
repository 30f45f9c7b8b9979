"""Rows out of parquet, and records out of JSON: the others stay as they were."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from lockstep.lake.lake import Lake
from lockstep.parity.erasure.documents import KeptAudits, count, without
from lockstep.parity.erasure.elsewhere import Elsewhere
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.parquet_rows import ParquetRows, parquet_keys
from lockstep.parity.erasure.place import Found

THEIRS = pl.col("card") == 42
CARDS = st.lists(st.none() | st.integers(40, 44), min_size=1, max_size=12)
RECORDS = st.recursive(
    st.none() | st.integers(0, 3) | st.just({"card": 42}),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text("ab"), parts, max_size=3),
    max_leaves=12,
)


def is_theirs(document: object) -> bool:
    return document == {"card": 42}


@given(st.lists(CARDS, max_size=4))
def test_the_rows_of_others_keep_their_order(objects: list[list[int | None]]) -> None:
    with TemporaryDirectory() as folder:
        lake, kept = Lake.at(folder), {}
        for number, cards in enumerate(objects):
            rows = pl.DataFrame(
                {"card": cards, "n": range(len(cards))}, schema={"card": pl.Int64, "n": pl.Int8}
            )
            lake.write_parquet(f"log/{number}.parquet", rows)
            if (left := rows.filter(pl.col("card").ne_missing(42))).height:
                kept[f"log/{number}.parquet"] = left
        theirs = THEIRS.fill_null(value=False)
        place = ParquetRows("log", lake, lambda: parquet_keys(lake, "log/"), theirs)
        total = sum(cards.count(42) for cards in objects)
        assert place.find() == Found(total, sum(42 in cards for cards in objects))
        untouched = {k: v for k, v in lake.versions("log/").items() if 42 not in objects[int(k[4])]}
        place.erase()
        assert place.find() == Found()
        assert parquet_keys(lake, "log/") == sorted(kept)
        assert all(lake.read_parquet(key).equals(rows) for key, rows in kept.items())
        assert lake.versions("log/").items() >= untouched.items()


def test_what_a_schema_says_of_itself_stays(tmp_path: Path) -> None:
    """A compacted day names the objects that it holds."""
    lake = Lake.at(tmp_path)
    table = pa.table({"card": [42, 1], "at": pa.array([1, 2], pa.timestamp("s", "UTC"))})
    lake.write_parquet_batches("log/whole.parquet", [table.replace_schema_metadata({"of": "a"})])
    written = pq.read_table(tmp_path / "log/whole.parquet")
    ParquetRows("log", lake, lambda: ["log/whole.parquet"], THEIRS).erase()
    left = pq.read_table(tmp_path / "log/whole.parquet")
    assert left.schema.metadata[b"of"] == b"a"
    assert left.schema.equals(written.schema, check_metadata=True)
    assert left.column("card").to_pylist() == [1]


def test_objects_without_the_column_are_left_alone(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.write_parquet("log/0.parquet", pl.DataFrame({"shop": [42]}))
    place = ParquetRows("log", lake, lambda: parquet_keys(lake, "log/"), THEIRS)
    before = lake.versions("")
    place.erase()
    assert place.find() == Found()
    assert lake.versions("") == before


def test_doubtful_rows_remain_and_are_counted(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.write_parquet("log/0.parquet", pl.DataFrame({"card": [42, None, None]}))
    place = ParquetRows(
        "log", lake, lambda: ["log/0.parquet"], THEIRS.fill_null(value=False),
        doubtful=pl.col("card").is_null(), why="are doubtful",
    )  # fmt: skip
    place.erase()
    assert place.find() == Found(remains=("2 rows are doubtful",))


@given(RECORDS)
def test_no_record_of_theirs_is_left_in_a_document(document: object) -> None:
    left = without([document], is_theirs)
    assert count(left, is_theirs) == 0
    assert '"card": 42' not in json.dumps(left)
    if count([document], is_theirs) == 0:
        assert left == [document]


def test_audits_lose_the_examples_of_the_requests(tmp_path: Path) -> None:
    lake, key = Lake.at(tmp_path), "_parity/audits/bank/a.json"
    examples = [{"request_id": "r1", "served": 1}, {"request_id": "r2", "served": 2}]
    lake.write_bytes(key, json.dumps({"services": [{"examples": examples}]}).encode())
    place = KeptAudits(lake, "bank", ["r1", "r9"])
    assert place.find() == Found(1, 1)
    place.erase()
    assert place.find() == Found()
    assert json.loads(lake.read_bytes(key)) == {"services": [{"examples": examples[1:]}]}


def test_what_others_keep_is_named_and_not_touched(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    for key, cards in {
        "mine/0": [42],
        "theirs/0": [42, 1],
        "theirs/1": [1],
        "text/0": ["42"],
    }.items():
        lake.write_parquet(f"{key}.parquet", pl.DataFrame({"card": cards}))
    place = Elsewhere(lake, ErasedEntity("card", 42), frozenset(["mine/0.parquet"]))
    before = lake.versions("")
    place.erase()
    told = "1 objects of others have rows with this id, such as theirs/0.parquet"
    assert place.find() == Found(remains=(told,))
    assert lake.versions("") == before
