"""Spark builds from and to a real S3 server through s3a://."""

from __future__ import annotations

import sys
from pathlib import Path

from s3_servers import SECRET
from source_histories import STEPS, Row, built, files, write_source
from spark_script import BUILD, run

from lockstep.jobs.arrivals import HOUR_US
from lockstep.lake.lake import Lake

ROWS = [Row("a", card, at * HOUR_US, at * HOUR_US, card) for at in (7, 30, 31) for card in (1, 2)]


def test_an_s3_lake_gets_the_bytes_of_a_local_one(s3_uri: str, tmp_path: Path) -> None:
    remote, local = Lake.at(s3_uri), Lake.at(tmp_path / "lake")
    for lake in (remote, local):
        write_source(lake, ROWS)
    log = tmp_path / "events"
    log.mkdir()
    settings = f"spark.eventLog.enabled true\nspark.eventLog.compress false\nspark.eventLog.dir file://{log}\n"
    (tmp_path / "spark-defaults.conf").write_text(settings)

    done = run(sys.executable, "-c", BUILD, remote.uri, SPARK_CONF_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    built(local, STEPS, end=72)
    by_process = files(local, STEPS)
    expected = {key for key in by_process if not key.endswith("_state.parquet")}
    assert files(remote, STEPS) == {key: by_process[key] for key in expected}

    logged = b"".join(file.read_bytes() for file in log.rglob("*") if file.is_file())
    assert b"fs.s3a.endpoint" in logged
    assert SECRET.encode() not in logged
    assert SECRET not in done.stderr
