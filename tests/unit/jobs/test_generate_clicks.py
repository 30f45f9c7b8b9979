"""Simulated clicks: reproducible, skewed, in the columns of the real file."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_clicks import HEADER

from lockstep.jobs.generate.clicks import Options, generate_frames
from lockstep.jobs.generate.errors import GenerateError
from lockstep.jobs.generate.write import write_frames
from lockstep.jobs.ingest.clicks import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

OPTIONS = Options(clicks_a_day=2_000, days=5, seed=1)
sizes = st.builds(
    Options,
    clicks_a_day=st.integers(1, 50),
    days=st.integers(1, 3),
    addresses=st.integers(1, 20),
    apps=st.integers(1, 4),
    channels=st.integers(1, 4),
    seed=st.integers(0, 1_000),
)


def generated(options: Options) -> pl.DataFrame:
    return pl.concat(generate_frames(options))


@settings(max_examples=20)
@given(sizes)
def test_every_generated_row_is_ingested_from_text(options: Options) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clicks.csv"
        rows = write_frames(path, generate_frames(options))
        assert path.read_text().startswith(HEADER + "\n")
        if rows:
            lake = Lake.at(f"{folder}/lake")
            assert ingest(ingest_spec(), path, lake=lake, max_rejected_share=0.0).accepted == rows


def test_a_seed_decides_everything() -> None:
    assert generated(OPTIONS).equals(generated(OPTIONS))
    assert not generated(OPTIONS).equals(generated(replace(OPTIONS, seed=2)))


def test_more_days_leave_the_first_ones_as_they_were() -> None:
    first = generated(OPTIONS)
    assert generated(replace(OPTIONS, days=6)).head(first.height).equals(first)


def test_few_keys_have_most_clicks_and_downloads_depend_on_the_app() -> None:
    rows = generated(OPTIONS)
    busiest = rows["ip"].value_counts(sort=True).head(OPTIONS.addresses // 10)
    assert busiest["count"].sum() > rows.height / 2
    by_app = rows.group_by("app").agg(pl.col("is_attributed").mean(), pl.len())
    common = by_app.filter(pl.col("len") > 100)["is_attributed"]
    assert common.max() > 5 * rows["is_attributed"].mean()  # type: ignore[operator]
    assert not rows["click_time"].is_sorted()


@pytest.mark.parametrize(
    ("option", "value"),
    [("days", 0), ("clicks_a_day", 0), ("seed", -1), ("days", 99_999_999)],
)
def test_options_out_of_range_are_refused(option: str, value: int) -> None:
    with pytest.raises(GenerateError, match="expected"):
        Options(**{option: value})  # type: ignore[arg-type]
