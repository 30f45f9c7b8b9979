"""Rows without ids get the same ones from every engine, wherever they stand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lockstep.jobs.generate.clicks import Options, generate_frames
from lockstep.jobs.generate.write import write_frames
from lockstep.jobs.ingest.clicks import ingest_spec
from lockstep.jobs.ingest.engine import Engine
from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.ingest.spark import SparkEngine
from lockstep.lake.lake import Lake

OPTIONS = Options(clicks_a_day=40, days=2, addresses=5, apps=2, channels=2, seed=5)


def engines(request: pytest.FixtureRequest) -> dict[str, Engine]:
    return {
        "local": LocalEngine(),
        "local in buckets": LocalEngine(rows_a_bucket=7),
        "spark": SparkEngine(request.getfixturevalue("spark"), rows_a_bucket=30),
    }


def test_engines_leave_the_same_bytes(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    rows = pl.concat(generate_frames(OPTIONS))
    # Some clicks are there twice or three times; one row cannot be read.
    rows = pl.concat([rows, rows[::5], rows[::10], rows[:1].with_columns(ip=pl.lit(-1, pl.Int64))])
    found = []
    for number, (name, engine) in enumerate(engines(request).items()):
        shuffled = rows.sample(fraction=1, shuffle=True, seed=number)
        place = tmp_path / name
        write_frames(place / "clicks.csv", [shuffled])
        lake = Lake.at(place / "lake")
        receipt = ingest(ingest_spec(), place / "clicks.csv", lake=lake, engine=engine)
        assert (receipt.accepted, receipt.rejected) == (rows.height - 1, 1)
        days = [key for key in lake.list("clicks/") if "/day=" in key]
        found.append({key: lake.read_bytes(key) for key in days})
    assert found[1:] == [found[0]] * 2
