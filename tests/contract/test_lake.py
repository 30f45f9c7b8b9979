"""The lake's objects: what holds wherever they are."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockstep.lake.errors import LakeError, NoObjectError
from lockstep.lake.lake import Lake

KEY = "fraud/x.parquet"
KEYS = [f"{folder}{name}.x" for folder in ("", "a/", "a/b/", "ab/", "a b=ü+%/") for name in "ab"]
PREFIXES = ["", "a", "a/", "a/a", "a/b", "a/b/", "ab/", "b", "a b", "c"]
STEPS = st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.binary(max_size=9)), max_size=9)


def rows(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"n": values, "m": [-value for value in values]})


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_it_holds_what_was_written_last(lake: Lake, steps: list[tuple[str, bytes | None]]) -> None:
    """Against a dictionary; None deletes."""
    lake.delete(lake.list(""))
    expected: dict[str, bytes] = {}
    for key, data in steps:
        if data is None:
            lake.delete([key])
            expected.pop(key, None)
        else:
            lake.write_bytes(key, data)
            expected[key] = data
    assert {key: lake.read_bytes(key) for key in lake.list("")} == expected
    for prefix in PREFIXES:
        assert lake.list(prefix) == sorted(key for key in expected if key.startswith(prefix))
    assert [key for key in KEYS if lake.exists(key)] == [key for key in KEYS if key in expected]


def test_an_object_that_is_not_there_is_named(lake: Lake) -> None:
    lake.write_bytes("other", b"")
    lake.write_bytes("fraud/y", b"")
    for read in (
        lake.read_bytes,
        lake.read_parquet,
        lambda key: lake.read_tail(key, 1),
        lambda key: lake.read_range(key, 0, 1),
        lambda key: next(lake.read_chunks(key, 1)),
    ):
        with pytest.raises(NoObjectError, match=f"there is nothing at {lake.uri}/{KEY}"):
            read(KEY)
    for part_of_a_key in ("othe", "other/x", "fraud"):
        assert not lake.exists(part_of_a_key)
        with pytest.raises(NoObjectError):
            lake.read_bytes(part_of_a_key)


def test_parts_of_an_object_are_read(lake: Lake) -> None:
    lake.write_bytes(KEY, b"abcdef")
    assert [lake.read_tail(KEY, size) for size in (2, 6, 99)] == [b"ef", b"abcdef", b"abcdef"]
    assert [lake.read_range(KEY, *ends) for ends in ((0, 1), (2, 4), (5, 9))] == [b"a", b"cd", b"f"]
    assert [*lake.read_chunks(KEY, 4)] == [b"abcd", b"ef"]


def test_parquet_is_scanned_in_the_order_of_the_keys(lake: Lake) -> None:
    size = lake.write_parquet("b", rows(1, 2))
    lake.write_parquet("a", rows(3))
    assert size == len(lake.read_bytes("b"))
    assert lake.scan_parquet(["b", "a"]).collect().equals(rows(1, 2, 3))
    assert lake.read_parquet("b", ["m"]).equals(rows(1, 2).select("m"))


@pytest.mark.parametrize("name", ["a b", "a%20b", "ü+&?#", "[x]*"])
def test_names_may_be_odd(lake: Lake, name: str) -> None:
    odd = Lake.at(f"{lake.uri}/{name}")
    odd.write_parquet(f"{name}/{KEY}", rows(1))
    assert odd.read_parquet(f"{name}/{KEY}").equals(rows(1))
    assert lake.list("") == [f"{name}/{name}/{KEY}"]


def test_another_process_opens_the_lake_by_itself(lake: Lake) -> None:
    lake.write_parquet(KEY, rows(1))
    assert pickle.loads(pickle.dumps(lake)) == lake
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(lake.read_parquet, KEY).result().equals(rows(1))


def test_preflights_find_a_lake_fine_and_leave_nothing(lake: Lake) -> None:
    with ThreadPoolExecutor(4) as pool:
        for tried in [pool.submit(lake.preflight) for _ in range(12)]:
            tried.result()
    assert [*lake.checks()][1:] == [
        "can be listed",
        "can be read",
        "can be written",
        "can be scanned by Polars",
        "can be deleted from",
    ]
    assert lake.list("") == []


def test_bytes_that_are_no_parquet_are_named(lake: Lake) -> None:
    for data in (b"", b"PAR1", b"no parquet at all"):
        lake.write_bytes(KEY, data)
        with pytest.raises(LakeError, match=rf"{lake.uri}/{KEY} cannot be read as parquet"):
            lake.read_parquet(KEY)
