"""The real transactions, built by the command on Spark and in one process: the same files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from source_histories import files
from spark_script import run

from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(600)]


def test_spark_leaves_the_files_of_the_local_engine(real_data_dir: Path, tmp_path: Path) -> None:
    by_spark, by_process = Lake.at(tmp_path / "spark" / "lake"), Lake.at(tmp_path / "local")
    ingest(ingest_spec(), real_data_dir / "handbook_transactions.parquet", lake=by_process)
    (tmp_path / "spark" / "lake" / "fraud").mkdir(parents=True)
    for source in {spec.source for spec in WINDOW_SPECS}:
        Path(by_spark.address(source)).symlink_to(by_process.address(source))

    command = [Path(sys.executable).with_name("lockstep"), "build", "fraud", "--engine", "spark"]
    done = run(*command, LOCKSTEP_HOME=str(tmp_path / "spark"), COLUMNS="100")
    assert done.returncode == 0, done.stderr
    receipts = build(
        by_process, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None
    )
    for receipt, spec in zip(receipts, WINDOW_SPECS, strict=True):
        assert receipt.rows_in == 1_754_155
        assert f"{spec.table}, spark engine" in done.stdout
        assert receipt.content_hash[:16] in done.stdout
        expected = files(by_process, spec)
        found = files(by_spark, spec)
        assert found.keys() == {key for key in expected if not key.endswith("_state.parquet")}
        assert [key for key in found if found[key] != expected[key]] == []
