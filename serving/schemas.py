"""What every use case's requests and answers have in common, over HTTP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lockstep.contract.instant import InstantError, parse_instant
from lockstep.contract.status import FeatureStatus

# Entity ids and other whole numbers that must fit a signed 64-bit integer.
EntityId = Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)]

FeatureNumber = int | float | None


def _utc_instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("expected a text such as 2018-08-01T12:30:00Z")
    try:
        return parse_instant(value)
    except InstantError as error:
        raise ValueError(str(error)) from error


UtcInstant = Annotated[datetime, BeforeValidator(_utc_instant, json_schema_input_type=str)]


class PredictRequest(BaseModel, ABC):
    """A request of any use case: strict types, no further fields."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event_timestamp: UtcInstant | None = Field(
        default=None,
        description="T: when it happens, RFC 3339 in UTC, at most microseconds. Default: now.",
        examples=["2018-08-01T12:30:00Z"],
    )

    @abstractmethod
    def entity_ids(self) -> dict[str, int]:
        """The join keys and their values."""

    @abstractmethod
    def request_values(self, t: datetime) -> dict[str, int]:
        """The request columns of the on-demand views at T."""


class ServedFeature(BaseModel):
    """One value that the model read, and what was known of it at T."""

    value: FeatureNumber = Field(description="Null where nothing usable was known.")
    status: FeatureStatus
    age_seconds: float | None = Field(
        description="How far T is past the time up to which the value is known to be exact; 0 for "
        "a value of the request; null where the store vouches for nothing."
    )


class ServedBy(BaseModel):
    """The model that gave the score."""

    name: str = Field(examples=["fraud"])
    version: int = Field(examples=[1])
    feature_service: str = Field(examples=["fraud_v1"])


class Prediction(BaseModel):
    """A score, what it means, and every number that it came from."""

    request_id: str = Field(description="Made by the server; quote it when asking about a score.")
    event_timestamp: datetime = Field(description="T, in UTC.")
    score: float = Field(ge=0, le=1, description="The probability of the positive class.")
    decision: str = Field(description="What the score means at the threshold.")
    threshold: float = Field(description="A score from here on is positive.")
    model: ServedBy
    features: dict[str, ServedFeature] = Field(description="By name, in the model's order.")


class Health(BaseModel):
    """That the server answers."""

    status: Literal["live", "ready"]
