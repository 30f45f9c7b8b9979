"""What every use case's requests and answers have in common, over HTTP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lockstep.contract.instant import InstantError, parse_instant
from lockstep.contract.status import FeatureStatus
from serving.fresh_row import FreshRow
from serving.problems import Problem

# Entity ids and other whole numbers that must fit a signed 64-bit integer.
EntityId = Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)]

FeatureNumber = int | float | None

_EXAMPLE_ID = "0f8b7f0a5d3e4c6f9a1b2c3d4e5f6a7b"


def _utc_instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("expected a text such as 2018-08-01T12:30:00Z")
    try:
        return parse_instant(value)
    except InstantError as error:
        raise ValueError(str(error)) from error


UtcInstant = Annotated[datetime, BeforeValidator(_utc_instant, json_schema_input_type=str)]


class EntityRequest(BaseModel, ABC):
    """Entity ids at a T: strict types, no further fields."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event_timestamp: UtcInstant | None = Field(
        default=None,
        description="T: when it happens, RFC 3339 in UTC, at most microseconds. Default: now.",
        examples=["2018-08-01T12:30:00Z"],
    )

    @abstractmethod
    def entity_ids(self) -> dict[str, int]:
        """The join keys and their values."""


class PredictRequest(EntityRequest, ABC):
    """A request of any use case."""

    @abstractmethod
    def request_values(self, t_us: int) -> dict[str, int]:
        """The request columns of the on-demand views at T, in microseconds UTC."""

    def fresh_row(self) -> FreshRow | None:
        """What it brings of the windows' source; asked only of use cases that have windows."""
        return None


class BatchRequest(BaseModel):
    """Many requests at once; each row is as a body of `predict`."""

    model_config = ConfigDict(extra="forbid")

    rows: list[Any] = Field(min_length=1, description="Answered row by row, in their order.")


class ServedFeature(BaseModel):
    """One value that the model read, and what was known of it at T."""

    value: FeatureNumber = Field(
        description="Null where nothing usable was known.", examples=[3, 27.5]
    )
    status: FeatureStatus = Field(examples=["PRESENT"])
    age_seconds: float | None = Field(
        description="How far T is past the time up to which the value is known to be exact; 0 for "
        "a value of the request; null where the store vouches for nothing. In seconds.",
        examples=[12.5],
    )


class StoredFeature(ServedFeature):
    """One value that the online store holds."""

    view: str = Field(description="The feature view.", examples=["customer_windows"])


class ServedBy(BaseModel):
    """The model that gave the score."""

    name: str = Field(examples=["fraud"])
    version: int = Field(ge=1, examples=[1])
    feature_service: str = Field(examples=["fraud_v2"])
    fingerprint: str = Field(
        description="Of the definitions of its features, here and where it was trained: SHA-256.",
        examples=["9f2b6c1d0e5a4b3c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"],
    )


class Answer(BaseModel):
    """What every prediction says: by which model, and from which numbers."""

    request_id: str = Field(
        description="Made by the server; quote it when asking about a score.",
        examples=[_EXAMPLE_ID],
    )
    event_timestamp: datetime = Field(description="T, in UTC.", examples=["2018-08-01T12:30:00Z"])
    model: ServedBy
    flags: list[FeatureStatus] = Field(
        description="Statuses among the stored features that the service flags.",
        examples=[["NOT_FOUND"]],
    )
    features: dict[str, ServedFeature] = Field(description="By name, in the model's order.")


class Prediction(Answer):
    """A score, what it means, and every number that it came from."""

    score: float = Field(
        ge=0,
        le=1,
        description="The highest probability of what may be decided, the usual left out.",
        examples=[0.021],
    )
    decision: str = Field(description="What the score means at the threshold.")
    threshold: float = Field(
        ge=0, le=1, description="From this score on something is decided.", examples=[0.31]
    )


class Classification(Prediction):
    """The same with the probability of everything that may be decided."""

    probabilities: dict[str, float] = Field(
        description="By decision; they add up to 1.",
        examples=[{"hold": 0.6, "buy": 0.25, "sell": 0.15}],
    )


class Estimate(Answer):
    """A number with the interval that it is expected in."""

    value: float = Field(description="The median of what is expected.", examples=[11_650_000.0])
    low: float = Field(description="The lower end of the interval.", examples=[9_820_000.0])
    high: float = Field(description="Its upper end.", examples=[13_400_000.0])
    coverage: float = Field(
        ge=0, lt=1, description="The share of cases that the interval is to hold.", examples=[0.9]
    )


class BatchRow(BaseModel):
    """The answer to one row: a prediction, or the problem that a single request would get."""

    prediction: Any | None = None
    problem: Problem | None = None


class Reason(BaseModel):
    """What one feature did to the score."""

    feature: str = Field(examples=["tx_amount_to_median_60d"])
    value: FeatureNumber = Field(examples=[7.2])
    contribution: float = Field(
        description="SHAP value: what it adds to the model's raw output, which is the log-odds of "
        "the positive class; of several classes that of the one decided for; of an estimate "
        "the median, or its logarithm where the model was fitted on that.",
        examples=[1.83],
    )
    words: str = Field(
        examples=["the amount to the card's median over 60 days is 7.2: raises the score"]
    )


class Explanation(BaseModel):
    """A prediction and why it came out so.

    `base` and the contributions of all features add up to the raw output.
    """

    prediction: Any
    base: float = Field(
        description="The raw output before any feature is looked at.", examples=[-6.1]
    )
    reasons: list[Reason] = Field(description="All features, the strongest first.")


class StoredFeatures(BaseModel):
    """What the online store holds for the entities of a request."""

    event_timestamp: datetime = Field(description="T, in UTC.", examples=["2018-08-01T12:30:00Z"])
    features: dict[str, StoredFeature] = Field(description="All that the model's service reads.")


class LoadedModel(ServedBy):
    """A model that is loaded."""

    alias: Literal["champion", "challenger"]
    threshold: float | None = Field(ge=0, le=1, description="Null where nothing is decided.")
    trained_as_of: datetime = Field(description="Up to which labels were known to the fit.")


class RefusedModel(BaseModel):
    """A version that may not serve."""

    alias: str = Field(examples=["champion"])
    version: int | None = Field(examples=[2])
    why: str


class Models(BaseModel):
    """The models of one use case."""

    use_case: str = Field(examples=["fraud"])
    loaded: list[LoadedModel] = Field(description="The champion, and the challenger in its shadow.")
    refused: list[RefusedModel]
    registry: str | None = Field(description="Why MLflow could not be asked; null when it was.")
    checked: datetime | None = Field(description="When MLflow was last asked.")


class Health(BaseModel):
    """That the server answers."""

    status: Literal["live", "ready", "started"]
