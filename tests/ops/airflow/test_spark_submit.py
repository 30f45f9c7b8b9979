"""The command that builds on Spark, as a DAG has it, really submitted: on two local cores."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from airflow_process import ROOT, SCHEDULES, Airflow
from programs import BIN

from feature_repo.windows.property import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.generate.property import Options, generate_frames
from lockstep.jobs.ingest.property import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.record import read_record
from lockstep.lake.lake import Lake

pytestmark = pytest.mark.timeout(600)
START, END = datetime(2026, 9, 20, tzinfo=UTC), datetime(2026, 9, 21, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A few listings, built up to START."""
    lake = Lake.at(str(tmp_path / "lake"))
    raw = tmp_path / "raw.parquet"
    frames = generate_frames(Options(listings=300, days=30, start=date(2026, 9, 1)))
    pl.concat(frames).write_parquet(raw)
    ingest(ingest_spec(), raw, lake=lake, max_rejected_share=0.0)
    build(lake, WINDOW_SPECS, end=START, clock=SystemClock(), progress=_ignore)
    return lake


def test_the_submitted_build_goes_on_as_the_local_one(
    airflow: Airflow, lake: Lake, tmp_path: Path
) -> None:
    local = tmp_path / "local"
    shutil.copytree(lake.uri, local)
    build(
        Lake.at(str(local)),
        WINDOW_SPECS,
        start=START,
        end=END,
        cascade=True,
        clock=SystemClock(),
        progress=_ignore,
    )
    settings = {
        "LOCKSTEP_USE_CASES": "property",
        "LOCKSTEP_ENGINE": "spark",
        "LOCKSTEP_SPARK_MASTER": "local[2]",
        "LOCKSTEP_SPARK_DRIVER_MEMORY": "1g",
        "LOCKSTEP_SPARK_MAIN": str(ROOT / "lockstep" / "cli" / "__main__.py"),
    }
    interval = {"start": START.isoformat(), "end": END.isoformat()}
    tasks = airflow.ask("rendered", env=SCHEDULES | settings, dag_id="features_hourly", **interval)
    places = {"LOCKSTEP_PROJECT_DIR": str(ROOT), "LOCKSTEP_LAKE": lake.uri}
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", tasks["property.build"]["command"]],
        cwd=tmp_path,
        env=os.environ | path | places,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "spark engine" in done.stdout
    for spec in WINDOW_SPECS:
        ours, theirs = (read_record(Lake.at(str(u)).table(spec.table)) for u in (lake.uri, local))
        assert ours
        assert theirs
        assert ours.end == theirs.end == END
        assert ours.content_hash == theirs.content_hash


def _ignore(what: str, share: float) -> None:
    pass
