"""What is declared about the schedule, as `LOCKSTEP_<FIELD>`; where things are is `Settings`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MonitoringSettings(BaseSettings):
    """`schedule_seconds`: how often views are materialised; `collect_seconds`: how often the
    exporter looks.
    """

    model_config = SettingsConfigDict(env_prefix="LOCKSTEP_")

    schedule_seconds: int = Field(default=3_600, gt=0)
    collect_seconds: float = Field(default=15.0, gt=0)
