"""What can go wrong before or while Spark works."""

from __future__ import annotations

from pathlib import Path

from lockstep.errors import LockstepError


class SparkError(LockstepError):
    """A Spark that cannot be started, or that fails where no row is to blame."""

    @classmethod
    def no_java(cls) -> SparkError:
        return cls(
            "Spark needs Java 17 or newer, and there is no `java` in JAVA_HOME or on PATH",
            next_step="install a JDK 17 or set JAVA_HOME; or leave out `--engine spark`",
        )

    @classmethod
    def old_java(cls, java: Path, version: str) -> SparkError:
        return cls(
            f"Spark needs Java 17 or newer, {java} is {version}",
            next_step="set JAVA_HOME to a JDK 17; or leave out `--engine spark`",
        )

    @classmethod
    def no_s3a_jars(cls, folder: Path) -> SparkError:
        return cls(
            f"Spark reads s3:// through hadoop-aws, which is not in {folder}",
            next_step="run `make spark-jars`, or set LOCKSTEP_SPARK_JARS_DIR to a folder with it",
        )

    @classmethod
    def not_started(cls, cause: Exception) -> SparkError:
        return cls(
            f"Spark did not start ({_first_line(cause)})",
            next_step="see what Java printed above, and check the LOCKSTEP_SPARK_... variables",
        )

    @classmethod
    def unreadable_type(cls, column: str, kind: object) -> SparkError:
        return cls(
            f"Spark cannot read column {column!r} of type {kind}",
            next_step="store it as integers, text or UTC microseconds; or use the local engine",
        )

    @classmethod
    def no_memory(cls) -> SparkError:
        return cls(
            "a task has no more memory to take",
            next_step="raise spark.executor.pyspark.memory, or run fewer tasks on a machine",
        )

    @classmethod
    def failed(cls, what: str, cause: Exception) -> SparkError:
        return cls(
            f"Spark failed while it {what} ({_first_line(cause)})",
            next_step="see what Java printed above, and run it again: that ends what was begun",
        )


def _first_line(cause: Exception) -> str:
    """The first line that says something; Py4J begins with where it was called."""
    lines = [line.strip(": ") for line in str(cause).splitlines()]
    telling = [line for line in lines if line and not line.startswith("An error occurred")]
    return (telling or [type(cause).__name__])[0][:300]
