"""The settings with which a Spark application of ours starts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from lockstep.lake.lake import Lake
from lockstep.lake.spark.errors import SparkError
from lockstep.lake.spark.settings import SparkSettings

_UTC = "-Duser.timezone=UTC"
# What Python processes on executors need to reach an S3 that is not Amazon's. Who they are
# is the executors' own business: a key that is a setting would be in every log.
_S3_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")


def application(
    settings: SparkSettings, lake: Lake, environment: Mapping[str, str]
) -> dict[str, str]:
    """What can be said only before Spark starts.

    Under spark-submit, master, memory and jars are its business.

    Raises:
        SparkError: the lake is on S3, and what reads it is not in `jars_dir`.
    """
    shared = {
        "spark.ui.enabled": str(settings.ui).lower(),
        "spark.ui.showConsoleProgress": "false",
        "spark.executorEnv.TZ": "UTC",
        **{
            f"spark.executorEnv.{name}": environment[name]
            for name in _S3_VARIABLES
            if name in environment
        },
    }
    if is_submitted(environment):
        return shared | ({"spark.master": settings.master} if settings.master else {})
    if lake.uri.startswith("s3://") and not list(settings.jars_dir.glob("hadoop-aws-*.jar")):
        raise SparkError.no_s3a_jars(settings.jars_dir)
    return shared | _own_jvm(settings)


def is_submitted(environment: Mapping[str, str]) -> bool:
    """Whether spark-submit has started the JVM already."""
    return "PYSPARK_GATEWAY_PORT" in environment


def _own_jvm(settings: SparkSettings) -> dict[str, str]:
    master = settings.master or "local[*]"
    log4j = resources.files("lockstep.lake.spark") / "log4j2.properties"
    own = {
        "spark.master": master,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.extraJavaOptions": f"{_UTC} -Dlog4j2.configurationFile={log4j}",
        "spark.executor.extraJavaOptions": _UTC,
        "spark.driver.extraClassPath": f"{settings.jars_dir}/*",
        "spark.executor.extraClassPath": f"{settings.jars_dir}/*",
    }
    return own | (_ONE_MACHINE if master.startswith("local") else {})


# Executors share this machine: loopback only, and one core a task.
_ONE_MACHINE = {
    "spark.driver.host": "localhost",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
}
