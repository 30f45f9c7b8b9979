"""With what settings Spark starts, and on which Java."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pyspark
import pytest

import lockstep.lake.spark
from lockstep.lake.lake import Lake
from lockstep.lake.spark.application import application
from lockstep.lake.spark.errors import SparkError
from lockstep.lake.spark.java import check_java
from lockstep.lake.spark.s3a import s3a_settings
from lockstep.lake.spark.settings import SparkSettings

S3, LOCAL = Lake.at("s3://bucket/lake"), Lake.at("/lake")
KEYS = {"AWS_ACCESS_KEY_ID": "id-0", "AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_SESSION_TOKEN": "t0"}
ELSEWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "AWS_REGION": "eu-west-1", **KEYS}


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    (tmp_path / "hadoop-aws-3.5.0.jar").touch()
    return tmp_path


def test_keys_and_secrets_become_no_setting(jars: Path) -> None:
    found = application(SparkSettings(jars_dir=jars), S3, ELSEWHERE) | s3a_settings(S3, ELSEWHERE)
    text = str(found)
    assert "127.0.0.1:9000" in text
    assert "eu-west-1" in text
    assert not [secret for secret in KEYS.values() if secret in text]


def test_the_endpoint_of_s3_alone_comes_first() -> None:
    own = ELSEWHERE | {"AWS_ENDPOINT_URL_S3": "http://s3.internal"}
    assert s3a_settings(S3, own)["fs.s3a.endpoint"] == "http://s3.internal"
    lake = Lake.at("s3://bucket/lake", endpoint="http://other")
    assert s3a_settings(lake, own)["fs.s3a.endpoint"] == "http://other"


def test_this_machine_listens_to_itself_only() -> None:
    found = application(SparkSettings(), LOCAL, {})
    assert found["spark.master"] == "local[*]"
    assert found["spark.driver.bindAddress"] == "127.0.0.1"
    cluster = application(SparkSettings(master="spark://host:7077"), LOCAL, {})
    assert "spark.driver.bindAddress" not in cluster


def test_under_spark_submit_master_and_memory_are_its_own() -> None:
    found = application(SparkSettings(), S3, {"PYSPARK_GATEWAY_PORT": "1"})
    assert not found.keys() & {"spark.master", "spark.driver.memory", "spark.driver.extraClassPath"}


def test_s3_without_its_jars_is_told_before_spark_starts(tmp_path: Path) -> None:
    with pytest.raises(SparkError, match="run `make spark-jars`"):
        application(SparkSettings(jars_dir=tmp_path), S3, {})
    application(SparkSettings(jars_dir=tmp_path), LOCAL, {})


def test_jars_have_the_versions_that_pyspark_brings() -> None:
    (client,) = (Path(pyspark.__file__).parent / "jars").glob("hadoop-client-api-*.jar")
    pom = Path(lockstep.lake.spark.__file__).parent / "jars" / "pom.xml"
    dependencies = ElementTree.parse(pom).findall(".//{*}dependency")
    versions = {
        each.findtext("{*}artifactId"): each.findtext("{*}version") for each in dependencies
    }
    assert client.stem == f"hadoop-client-api-{versions['hadoop-aws']}"
    assert versions["spark-sql-kafka-0-10_2.13"] == pyspark.__version__


def java(folder: Path, says: str) -> None:
    """A `java` that only says its version, as all do, on stderr."""
    folder.mkdir(parents=True)
    file = folder / "java"
    file.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    "says",
    [
        'openjdk version "17.0.15" 2025-04-15',
        'java version "21" 2023-09-19 LTS',
        'x version "25-ea"',
    ],
)
def test_new_java_is_fine(says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(tmp_path / "bin", says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    check_java()


@pytest.mark.parametrize(
    "says", ['openjdk version "11.0.2" 2019-01-15', 'java version "1.8.0_392"', "no such file"]
)
def test_old_java_is_named(says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(tmp_path / "bin", says)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    with pytest.raises(SparkError, match=r"needs Java 17 or newer, .*/java is .*; set JAVA_HOME"):
        check_java()


@pytest.mark.parametrize("home", [True, False])
def test_no_java_is_told(home: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SparkError, match="there is no `java`"):
        check_java()
