"""Spark as it is started on a machine: in any time zone, badly, and by spark-submit."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pyspark
import pytest
from source_histories import STEPS, T0, Row, built, files, write_source
from spark_script import BUILD, run

from lockstep.jobs.arrivals import HOUR_US
from lockstep.lake.lake import Lake

# Around the hours at which New York and Moscow once put their clocks, and before 1970.
ROWS = [
    Row("a", card, at * HOUR_US + card, at * HOUR_US + late, card)
    for card, (at, late) in enumerate([(7, 0), (-24 * 21, 0), (9, 90), (-24 * 20_000, 5), (30, 0)])
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path / "a lake [of*] one")
    write_source(lake, ROWS)
    return lake


@pytest.mark.parametrize("zone", ["UTC", "Europe/Moscow", "America/New_York"])
def test_the_time_zone_of_the_machine_changes_no_byte_and_spark_is_quiet(
    zone: str, lake: Lake
) -> None:
    done = run(sys.executable, "-c", BUILD, lake.uri, TZ=zone)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["WARNING: Using incubator modules: jdk.incubator.vector"]
    by_spark = files(lake, STEPS)
    built(lake, STEPS, end=72)
    by_process = files(lake, STEPS)
    assert by_spark == {key: by_process[key] for key in by_spark}
    assert by_spark.keys() == {key for key in by_process if not key.endswith("_state.parquet")}


def test_spark_submit_runs_the_same_build(lake: Lake, tmp_path: Path) -> None:
    script = tmp_path / "build.py"
    script.write_text(BUILD)
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    options = ["--master", "local[1]", "--conf", "spark.ui.enabled=false"]
    done = run(submit, *options, script, lake.uri, PYSPARK_PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    assert lake.table(STEPS.table).horizon() == T0 + timedelta(hours=72)


KAFKA = """
from lockstep.lake.lake import Lake
from lockstep.lake.spark.session import spark_session

spark = spark_session("kafka", lake=Lake.at("/nowhere"))
spark.read.format("kafka").option("kafka.bootstrap.servers", "127.0.0.1:1").load()
"""


def test_spark_knows_kafka_and_asks_for_a_topic() -> None:
    done = run(sys.executable, "-c", KAFKA)
    assert "must be specified for Kafka source: subscribe" in done.stderr


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"LOCKSTEP_SPARK_MASTER": "nowhere"}, "Spark did not start ("),
        ({"LOCKSTEP_SPARK_DRIVER_MEMORY": "1m"}, "Spark did not start ("),
        ({"JAVA_HOME": "/nowhere"}, "there is no `java` in JAVA_HOME"),
    ],
)
def test_a_spark_that_cannot_start_is_one_error(
    variables: dict[str, str], told: str, lake: Lake
) -> None:
    done = run(sys.executable, "-c", BUILD, lake.uri, **variables)
    assert done.stderr.splitlines()[-1].startswith("lockstep.lake.spark.errors.SparkError")
    assert told in done.stderr
