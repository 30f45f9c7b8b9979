"""Served rows as they stand in the lake: every cell, each request once, nothing by halves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served_batches import (
    EVENING_US,
    FEATURES,
    SCHEMA,
    Alias,
    Cell,
    Request,
    Row,
    feature_row,
    ids,
    logged,
    prediction_row,
    requests,
    served,
    with_value,
)
from structlog.testing import capture_logs

from lockstep.contract.status import FeatureStatus
from lockstep.lake.lake import Lake
from serving.log_writer import LogWriter
from serving.served_rows import LoggedFeature, LogSchemaError, ServedRows

NUMBERS = (
    st.integers(-(2**53), 2**53).map(float),
    st.floats(allow_nan=False),
    st.sampled_from([0.0, 1.0]),
    st.just(1.0),
)
TIMES = st.none() | st.integers(0, 4 * EVENING_US)
AGES = st.none() | st.floats(allow_nan=False)
CELLS = st.tuples(
    *(
        st.builds(Cell, st.none() | number, st.sampled_from(FeatureStatus), AGES, TIMES)
        for number in NUMBERS
    )
)
BATCH = st.tuples(
    st.lists(st.builds(Request, st.just(""), st.integers(0, 2**40), CELLS), min_size=1, max_size=4),
    st.sampled_from(["champion", "challenger"]),
    st.integers(EVENING_US, EVENING_US + 2_000_000),
)


def write(lake: Lake, *calls: list[ServedRows]) -> LogWriter:
    writer = LogWriter(lake)
    for batches in calls:
        assert writer.add(batches) == 0
        writer.write()
    return writer


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.get("request_id") or row["__request_id"])


@settings(max_examples=40)
@given(batches=st.lists(BATCH, min_size=1, max_size=5))
def test_every_cell_is_as_it_was_served(
    batches: list[tuple[list[Request], Alias, int]],
) -> None:
    features, predictions, put = [], [], []
    for number, (rows, alias, logged_us) in enumerate(batches):
        named = [replace(row, id=f"{number}-{place}") for place, row in enumerate(rows)]
        put.append(served(named, alias=alias, logged_us=logged_us))
        features += [feature_row(row, logged_us) for row in named]
        predictions += [prediction_row(row, alias, logged_us) for row in named]
    with TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write(lake, put)
        assert in_order(logged(lake, "features").to_dicts()) == in_order(features)
        assert in_order(logged(lake, "predictions").to_dicts()) == in_order(predictions)


def test_a_local_lake_and_s3_hold_the_same(lake: Lake) -> None:
    rows = requests("a", "b")
    write(lake, [served(rows)])
    assert logged(lake, "features").to_dicts() == [feature_row(row, EVENING_US) for row in rows]
    assert logged(lake, "predictions").to_dicts() == [
        prediction_row(row, "champion", EVENING_US) for row in rows
    ]


def test_each_write_adds_objects_to_the_days_of_the_log_time(local_lake: Lake) -> None:
    first, second = served(requests("a")), served(requests("b"), logged_us=EVENING_US + 1_000_000)
    write(local_lake, [first, second], [served(requests("c"))])
    keys = local_lake.list("fraud/")
    assert sorted(re.sub("[0-9a-f]{32}", "X", key) for key in keys) == [
        f"fraud/{folder}/day=2018-04-{day}/X.parquet"
        for folder in ("predictions", "served_features/cards_v1")
        for day in ("01", "01", "02")
    ]


def test_a_folder_is_scanned_as_it_is(local_lake: Lake) -> None:
    """Nulls in a whole object change no type; pyarrow reads the folder too."""
    empty = (Cell(None, FeatureStatus.NOT_FOUND, None, None),) * len(FEATURES)
    write(local_lake, [served([Request("a", 0, empty)])], [served(requests("b"))])
    for folder in ("served_features/cards_v1", "predictions"):
        place = Path(local_lake.uri) / "fraud" / folder
        scanned = pl.scan_parquet(place).collect()
        assert scanned.height == 2
        assert set(scanned["day"].cast(pl.String)) == {"2018-04-01"}
        assert pq.read_table(place).num_rows == 2
    statuses = logged(local_lake, "predictions").explode("statuses").unnest("statuses")
    assert statuses.group_by("status").len().sort("status").rows() == [
        ("NOT_FOUND", 4),
        ("PRESENT", 4),
    ]


@pytest.mark.parametrize("together", [True, False])
def test_two_models_of_one_request_share_its_features(local_lake: Lake, together: bool) -> None:
    rows = requests("a", "b")
    both = [served(rows), served(rows, alias="challenger")]
    write(local_lake, *([both] if together else [[one] for one in both]))
    assert ids(local_lake, "features") == ["a", "b"]
    assert ids(local_lake, "predictions") == ["a", "a", "b", "b"]


def test_services_of_one_request_have_features_of_their_own(local_lake: Lake) -> None:
    other = replace(SCHEMA, feature_service="cards_v2")
    rows = requests("a")
    write(local_lake, [served(rows), served(rows, schema=other, alias="challenger")])
    folders = {key.split("/")[2] for key in local_lake.list("fraud/served_features/")}
    assert folders == {"cards_v1", "cards_v2"}
    assert ids(local_lake, "predictions") == ["a", "a"]


def test_equal_schemas_share_an_object(local_lake: Lake) -> None:
    write(local_lake, [served(requests(id), schema=replace(SCHEMA)) for id in "abc"])
    assert len(local_lake.list("fraud/served_features/")) == 1


@pytest.mark.parametrize("blocked", ["served_features", "predictions"])
def test_a_second_try_doubles_nothing_and_features_come_first(
    local_lake: Lake, blocked: str
) -> None:
    in_the_way = Path(local_lake.uri) / "fraud" / blocked
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("a file where a folder should be")
    writer = LogWriter(local_lake)
    writer.add([served(requests("a"))])
    for _ in range(3):
        with pytest.raises(OSError, match="directory"):
            writer.write()
        assert ids(local_lake, "features") == (["a"] if blocked == "predictions" else [])
        assert ids(local_lake, "predictions") == []
    in_the_way.unlink()
    writer.write()
    writer.write()
    assert ids(local_lake, "features") == ids(local_lake, "predictions") == ["a"]


def test_an_answer_that_was_lost_on_the_way_doubles_nothing(local_lake: Lake) -> None:
    """S3 may have the object though its answer never came."""

    class Deaf(Lake):
        answers = iter([False, True, False, True])

        def write_parquet_batches(
            self, key: str, batches: Iterable[pa.Table], **options: Any
        ) -> int:
            size = super().write_parquet_batches(key, batches, **options)
            if not next(self.answers):
                raise TimeoutError
            return size

    writer = LogWriter(Deaf(local_lake.uri))
    writer.add([served(requests("a"))])
    for _ in range(2):
        with pytest.raises(TimeoutError):
            writer.write()
    writer.write()
    assert ids(local_lake, "features") == ids(local_lake, "predictions") == ["a"]


def test_rows_that_cannot_be_logged_are_lost_alone(local_lake: Lake) -> None:
    good = [served(requests(id)) for id in "abcdefg"]
    short = replace(served(requests("h", "i")), t_us=[1])
    without = replace(served(requests("j")), request_values={})
    cut = replace(served(requests("o")), request_values={"cents": [0.5]})
    bad = [
        cut,
        with_value(served(requests("k", "l")), 0.5),
        with_value(served(requests("m")), 1e300),
        replace(served(requests("n")), codes=served(requests("n")).codes + 50),
    ]
    writer = LogWriter(local_lake)
    with capture_logs() as logs:
        lost = writer.add([*good[:3], short, *good[3:], without, *bad])
    assert lost == 2 + 1 + 1 + 2 + 1 + 1
    assert [(entry["event"], entry["rows"]) for entry in logs] == [
        ("served rows cannot be logged", lost)
    ]
    writer.write()
    assert ids(local_lake, "features") == ids(local_lake, "predictions") == list("abcdefg")


def test_where_all_is_bad_it_is_not_tried_for_ever(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    monkeypatch.setattr(ServedRows, "is_whole", lambda rows: tried.append(len(rows)))
    bad = [served(requests(str(number))) for number in range(1000)]
    with capture_logs() as logs:
        assert LogWriter(local_lake).add(bad) == 1000
    assert len(tried) < 200
    assert len(logs) == 1


def test_two_short_batches_are_not_taken_for_one_whole(local_lake: Lake) -> None:
    """Their cells would go to other requests."""
    one, two = served(requests("a", "b")), served(requests("c"))
    mixed = [replace(one, decisions=["x"]), replace(two, decisions=["y", "z"])]
    assert LogWriter(local_lake).add(mixed) == 3


def test_a_schema_that_cannot_be_logged_is_refused() -> None:
    odd = LoggedFeature("tags", column="cards__tags", type="Array(String)")
    with pytest.raises(LogSchemaError, match=r"'cards__tags' is of type Array\(String\)"):
        replace(SCHEMA, features=(*FEATURES, odd))
    columns = SCHEMA.layout
    for wrong in (columns[1:], (*columns, ("more", "Int64")), ((*columns[:-1], ("x", "Bool")))):
        with pytest.raises(LogSchemaError, match="in one of them only"):
            replace(SCHEMA, columns=wrong)
    other = ("cards__n", "Float64")
    with pytest.raises(LogSchemaError, match=r"\['cards__n'\]"):
        replace(SCHEMA, columns=tuple(other if c[0] == "cards__n" else c for c in columns))


def test_columns_stand_in_the_order_and_types_that_are_declared(local_lake: Lake) -> None:
    others = (column for column in SCHEMA.layout if column[0] != "cents")
    schema = replace(SCHEMA, columns=(("cents", "Float64"), *others))
    write(local_lake, [served(requests("a", "b"), schema=schema)])
    rows = logged(local_lake, "features")
    assert rows.columns[:3] == ["cents", "card", "shop"]
    assert rows["cents"].to_list() == [0.0, 100.0]
    assert rows.schema["cents"] == pl.Float64


def test_only_columns_that_repeat_have_dictionaries(local_lake: Lake) -> None:
    write(local_lake, [served(requests(*(f"{number}" for number in range(50))))])
    encodings = {}
    for path in Path(local_lake.uri).glob("**/*.parquet"):
        group = pq.read_metadata(path).row_group(0)
        for column in map(group.column, range(group.num_columns)):
            encodings[column.path_in_schema] = "RLE_DICTIONARY" in column.encodings
    leaf = "statuses.list.element."
    alone = {
        "__request_id",
        "request_id",
        "score",
        "outputs.list.element",
        f"{leaf}age_seconds",
        f"{leaf}step_timestamp",
    }
    plain = {name for name, has_dictionary in encodings.items() if not has_dictionary}
    bools = {column for column, feast_type in SCHEMA.layout if feast_type == "Bool"}
    timestamps = {name for name in encodings if name.endswith("__timestamp")}
    assert plain == alone | timestamps | bools
    assert {f"{leaf}feature", f"{leaf}status", "decision"} < encodings.keys() - plain
