"""How Spark is started: environment variables over defaults."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SparkSettings(BaseSettings):
    """One Spark application; every field can be set as `LOCKSTEP_SPARK_<FIELD>`.

    `master` unset means the one that spark-submit gave, else this machine's cores.
    `jars_dir` holds what s3a:// needs; on a cluster it is the same path on every machine.
    """

    model_config = SettingsConfigDict(env_prefix="LOCKSTEP_SPARK_")

    master: str | None = None
    driver_memory: str = "2g"
    ui: bool = False
    jars_dir: Path = Field(
        default_factory=lambda: Path(sys.prefix) / "share" / "lockstep" / "spark-jars"
    )
