"""The one place where a Spark session is made."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lockstep.lake.lake import Lake
from lockstep.lake.spark.application import application, is_submitted
from lockstep.lake.spark.errors import SparkError
from lockstep.lake.spark.java import check_java
from lockstep.lake.spark.s3a import s3a_settings
from lockstep.lake.spark.settings import SparkSettings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Rows that the JVM hands to Python at once; a bucket is some of these.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
}
# A local lake's files are found faster by the driver than by a job of so many tasks.
_LOCAL = {"spark.sql.sources.parallelPartitionDiscovery.threshold": "1000000"}


def spark_session(app_name: str, *, lake: Lake) -> SparkSession:
    """A session of its own, in UTC whatever the machine's time zone, which can read `lake`.

    Where an application runs already (spark-submit, a notebook), the session belongs to it;
    else one starts, on this machine unless LOCKSTEP_SPARK_MASTER says where. Credentials for
    s3:// are those of the environment of the driver and of each executor: they become no
    setting, hence stand in no log and on no command line.

    Raises:
        SparkError: there is no Java that Spark can run on, no jar for s3://, or no start.
    """
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    session = (active or _started(app_name, lake)).newSession()
    place = s3a_settings(lake, os.environ) if lake.uri.startswith("s3://") else _LOCAL
    for name, value in (_SETTINGS | place).items():
        session.conf.set(name, value)
    return session


def _started(app_name: str, lake: Lake) -> SparkSession:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    settings = application(SparkSettings(), lake, os.environ)
    if not is_submitted(os.environ):
        check_java()
        # Spark takes the first `python3` on PATH otherwise, which may not have this project.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name)
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except (PySparkException, Py4JError) as error:
        raise SparkError.not_started(error) from error
