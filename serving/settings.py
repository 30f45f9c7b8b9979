"""What can be set about the server, as `SERVING_<FIELD>`; where things are is `Settings`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lockstep.settings import Settings


class ServingSettings(BaseSettings):
    """Limits and intervals of the API.

    `model_retry_seconds`: how often the registry is asked while there is no model.
    `retry_after_seconds`: what a client is told to wait when there is no model or no Redis.
    """

    model_config = SettingsConfigDict(env_prefix="SERVING_")

    project: Settings = Field(default_factory=Settings)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    max_body_bytes: int = Field(default=65_536, gt=0)
    model_retry_seconds: float = Field(default=2.0, gt=0)
    retry_after_seconds: int = Field(default=2, gt=0)
