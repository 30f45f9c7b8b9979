"""Builds of tables, wherever the lake is: the same files as a build in a local folder."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from source_histories import HOURS, SPECS, STEPS, Row, built, files, histories, write_source

from lockstep.jobs.arrivals import HOUR_US
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.windows.spec import WindowSpec

END = HOURS + 60
FEW = settings(
    max_examples=5,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
specs = st.sampled_from(SPECS)


def whole(rows: Sequence[Row], spec: WindowSpec) -> dict[str, bytes]:
    """What a fresh build in a local folder leaves."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write_source(lake, rows)
        built(lake, spec, end=END)
        return files(lake, spec)


@FEW
@given(rows=histories(), spec=specs, cut=st.integers(1, END - 1))
def test_increments_leave_the_files_of_a_whole_local_build(
    lake: Lake, rows: list[Row], spec: WindowSpec, cut: int
) -> None:
    assume(min(row.event for row in rows) < cut * HOUR_US)
    lake.delete(lake.list(""))
    write_source(lake, rows)
    built(lake, spec, end=cut, most_steps=9)
    (receipt,) = built(lake, spec, start=cut, end=END)
    assert files(lake, spec) == whole(rows, spec)
    assert [key for key in lake.list(spec.table) if "_receipts/" in key]
    assert lake.table(spec.table).metadata()["build"] == receipt.as_json()


@FEW
@given(rows=histories(), backfill=histories(most=3), spec=specs)
def test_a_cascade_leaves_the_files_of_a_whole_local_build(
    lake: Lake, rows: list[Row], backfill: list[Row], spec: WindowSpec
) -> None:
    first = min(row.known for row in backfill) // HOUR_US
    assume(first < END)
    lake.delete(lake.list(""))
    write_source(lake, rows)
    built(lake, spec, end=END)
    write_source(lake, rows + backfill)
    built(lake, spec, start=first, end=first + 1, cascade=True)
    assert files(lake, spec) == whole(rows + backfill, spec)


def test_a_source_that_is_no_parquet_is_named_by_its_address(lake: Lake) -> None:
    write_source(lake, [Row("a", 1, 5, 5, 1)])
    part = lake.table(STEPS.source).part(lake.table(STEPS.source).days()[0])
    lake.write_bytes(part, b"no parquet at all")
    with pytest.raises(LakeError, match=rf"{lake.uri}/{part} cannot be read as parquet"):
        built(lake, STEPS, end=END)
    assert lake.list(STEPS.table) == []
