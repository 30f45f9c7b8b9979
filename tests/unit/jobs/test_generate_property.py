"""Simulated flats: reproducible, taken whole by the ingest, with prices that can be learned."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.jobs.generate.errors import GenerateError
from lockstep.jobs.generate.property import Options, generate_frames
from lockstep.jobs.generate.write import write_frames
from lockstep.jobs.ingest.property import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

OPTIONS = Options(listings=3_000, seed=1)
sizes = st.builds(
    Options,
    listings=st.integers(1, 100),
    localities=st.integers(1, 5),
    buildings=st.integers(1, 20),
    days=st.integers(1, 20),
    seed=st.integers(0, 1_000),
)


def generated(options: Options) -> pl.DataFrame:
    return pl.concat(generate_frames(options))


@settings(max_examples=15)  # each is two ingests
@given(sizes)
def test_every_generated_row_is_ingested_and_says_the_same_as_text(options: Options) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stored = []
        for name in ("listings.csv", "listings.parquet"):
            rows = write_frames(Path(folder) / name, generate_frames(options))
            lake = Lake.at(f"{folder}/{name}_lake")
            receipt = ingest(ingest_spec(), Path(folder) / name, lake=lake, max_rejected_share=0.0)
            assert receipt.accepted == rows == options.listings
            stored.append({n: lake.read_bytes(n) for n in lake.list("property/") if "/day=" in n})
        assert stored[0] == stored[1]


def test_a_seed_decides_everything() -> None:
    assert generated(OPTIONS).equals(generated(OPTIONS))
    assert not generated(OPTIONS).equals(generated(replace(OPTIONS, seed=2)))


def test_prices_go_with_area_and_building_and_some_listings_are_open() -> None:
    rows = generated(OPTIONS)
    price_m2 = (pl.col("last_price") / pl.col("total_area")).log()
    of_building = price_m2.mean().over("building_id")
    whole, within = rows.select(whole=price_m2.var(), within=(price_m2 - of_building).var()).row(0)
    assert within < whole / 3
    assert np.corrcoef(rows["last_price"], rows["total_area"])[0, 1] > 0.5
    assert 0.03 < rows["days_exposition"].null_count() / rows.height < 0.3
    assert rows["first_day_exposition"].is_sorted()


@pytest.mark.parametrize(
    ("column", "share"),
    [("living_area", 0.9), ("kitchen_area", 0.9), ("ceiling_height", 0.6), ("balcony", 0.5)],
)
def test_sellers_leave_something_out_and_not_everything(column: str, share: float) -> None:
    stated = generated(OPTIONS)[column].is_not_null().mean()
    assert stated == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize(
    ("option", "value"),
    [("days", 0), ("listings", 0), ("buildings", 0), ("seed", -1), ("days", 99_999_999)],
)
def test_options_out_of_range_are_refused(option: str, value: int) -> None:
    with pytest.raises(GenerateError, match="expected"):
        Options(**{option: value})  # type: ignore[arg-type]
