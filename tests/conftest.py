"""What every test shares: the real files, and no silent skips."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

# Feast has metrics kept in files, where all apps of a process count together, dead ones too.
# prometheus_client decides when it is imported; here, before Feast is, each app counts for itself.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
import prometheus_client  # noqa: F401
import pytest
from hypothesis import settings
from s3_servers import S3Server, moto_server, only_environment

import lockstep.stores  # noqa: F401 - makes the import of Feast quick, which comes after
from lockstep.lake.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Skips that are accepted when CI=true, by reason. Keep it short; each needs a review.
REVIEWED_SKIPS: frozenset[str] = frozenset()

# Tests have projects of their own, wherever those of whoever runs them are.
for _name in ("HOME", "LAKE", "MLFLOW_ARTIFACTS", "MLFLOW_URI", "PROJECT_DIR"):
    os.environ.pop(f"LOCKSTEP_{_name}", None)
os.environ.pop("REDIS_URL", None)

# A JVM that lives for a test does not pay for compiling well and collecting in parallel: without
# this, test_join_engines took 59 s of CPU instead of 31.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

# Timing is never asserted in tests, so hypothesis must not do it either.
settings.register_profile("lockstep", deadline=None)
settings.load_profile("lockstep")


def _real_data() -> Path | None:
    folder = os.environ.get("LOCKSTEP_REAL_DATA")
    return Path(folder) if folder and Path(folder).is_dir() else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects tests on the real files where there are none."""
    if _real_data() is not None:
        return
    without = [item for item in items if item.get_closest_marker("realdata")]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item not in without]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI=true a skipped test whose reason nobody reviewed is a failure."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that is skipped as a whole."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or os.environ.get("CI") != "true" or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    if reason.removeprefix("Skipped: ") not in REVIEWED_SKIPS:
        report.outcome = "failed"
        report.longrepr = f"skipped under CI without review: {reason}"


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """The folder of the real files; only for tests marked `realdata`."""
    folder = _real_data()
    assert folder is not None, "a test that asks for real files must be marked realdata"
    return folder


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """One S3 server for the whole run."""
    with moto_server() as server:
        yield server


@pytest.fixture
def s3_uri(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A lake's place in a bucket of its own, with the environment that leads there."""
    only_environment(monkeypatch, moto.environment)
    return f"{moto.create_bucket(f'bucket-{uuid4().hex}')}/lake"


@pytest.fixture
def local_lake(tmp_path: Path) -> Lake:
    """An empty lake in a folder of its own."""
    return Lake.at(tmp_path / "lake")


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, local_lake: Lake) -> Lake:
    """An empty lake, of each kind in turn; tests do not ask which."""
    return Lake.at(request.getfixturevalue("s3_uri")) if request.param == "s3" else local_lake


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The address of one real Redis for the whole run."""
    from lockstep.stores.embedded_redis import embedded_redis

    with embedded_redis() as url:
        yield url


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[str]:
    """The address of one real Kafka for the whole run."""
    from lockstep.stream.local_kafka import local_kafka

    with local_kafka() as broker:
        yield broker.servers


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The address of a real Redis with nothing in it."""
    from redis import Redis

    with Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Spark on two cores of this machine for the whole run; later sessions share its JVM."""
    from lockstep.lake.spark.session import spark_session

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOCKSTEP_SPARK_MASTER", "local[2]")
        session = spark_session("tests", lake=Lake.at("/"))
    yield session
    session.stop()
