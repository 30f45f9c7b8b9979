"""What is declared about the schedule, as `LOCKSTEP_<FIELD>`; where things are is `Settings`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MonitoringSettings(BaseSettings):
    """`schedule_seconds`: how often views are materialised, of the use cases in the comma-separated
    `use_cases` (all where it is empty); `collect_seconds`: how often the exporter looks.
    """

    model_config = SettingsConfigDict(env_prefix="LOCKSTEP_")

    schedule_seconds: int = Field(default=3_600, gt=0)
    collect_seconds: float = Field(default=15.0, gt=0)
    use_cases: str = ""

    @property
    def scheduled(self) -> frozenset[str]:
        """The use cases that are materialised by schedule; none are all."""
        return frozenset(name.strip() for name in self.use_cases.split(",") if name.strip())
