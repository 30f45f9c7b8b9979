"""What can be set about the server, as `SERVING_<FIELD>`; where things are is `Settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lockstep.settings import Settings


class ServingSettings(BaseSettings):
    """Limits and intervals of the API; each can be set as `SERVING_<NAME>`.

    model_poll_seconds      how often the registry is asked for another champion
    model_retry_seconds     the same while there is no model
    model_look_seconds      how often a worker looks at what was fetched
    reload_seconds          how long a reload may take
    retry_after_seconds     what a client is told to wait when there is no model or no Redis
    max_body_bytes          the longest body; a batch of 1,000 rows has some 100 KB
    client_seconds          how long a client may send one request, and read its answer
    max_batch_rows          the most rows of one batch
    most_coalesced_rows     the most requests that are scored together
    gather_seconds          how long a small batch waits for more rows while load is high
    redis_timeout_seconds   how long Redis may take to answer
    redis_pause_seconds     how long it is left alone after it did not three times
    auth                    "off" serves everybody, and says so in the log
    keys_file               the API keys; default <home>/api_keys.json
    log_share               the share of requests whose features are logged; 0 for none
    log_flush_seconds       what a crash may lose of the log
    log_max_rows            the most rows that wait to be logged; more are dropped and counted
    metrics_dir             where several workers keep their counts; made by `lockstep serve`
    plan_file               the compiled definitions; default <home>/serving_plan.json
    workers                 processes that answer requests
    """

    model_config = SettingsConfigDict(env_prefix="SERVING_")

    project: Settings = Field(default_factory=Settings)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    max_body_bytes: int = Field(default=1_048_576, gt=0)
    client_seconds: float = Field(default=30.0, gt=0, le=600)
    model_poll_seconds: float = Field(default=10.0, gt=0)
    model_retry_seconds: float = Field(default=2.0, gt=0)
    retry_after_seconds: int = Field(default=2, gt=0)
    max_batch_rows: int = Field(default=1_000, ge=1)
    most_coalesced_rows: int = Field(default=256, ge=1)
    gather_seconds: float = Field(default=0.001, ge=0, le=0.1)
    redis_timeout_seconds: float = Field(default=0.5, gt=0)
    redis_pause_seconds: float = Field(default=1.0, gt=0)
    reload_seconds: float = Field(default=30.0, gt=0)
    model_look_seconds: float = Field(default=0.5, gt=0)
    auth: Literal["on", "off"] = "on"
    keys_file: Path | None = None
    log_share: float = Field(default=1.0, ge=0, le=1)
    log_flush_seconds: float = Field(default=5.0, gt=0)
    log_max_rows: int = Field(default=50_000, ge=1)
    metrics_dir: Path | None = None
    plan_file: Path | None = None
    workers: int = Field(default=1, ge=1, le=64)

    @property
    def keys_path(self) -> Path:
        """The file with the API keys."""
        return self.project.project_dir / (
            self.keys_file or self.project.home_dir / "api_keys.json"
        )

    @property
    def plan_path(self) -> Path:
        """The file that holds the compiled definitions."""
        return self.plan_file or self.project.home_dir / "serving_plan.json"

    @property
    def models_dir(self) -> Path:
        """The folder that holds the models which were fetched from the registry."""
        return self.project.home_dir / "models"
