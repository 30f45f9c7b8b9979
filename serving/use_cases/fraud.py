"""Card fraud over HTTP: a transaction in, block or allow out."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from lockstep.contract.fraud import SCORED_EVENTS
from serving.schemas import EntityId, EntityRequest, Prediction, PredictRequest
from serving.use_case import UseCase

# As much as ingestion accepts.
MOST_CENTS = 100_000_000_000


class TransactionId(BaseModel):
    """The caller's own id."""

    transaction_id: EntityId | None = Field(
        default=None, description="Returned as it came.", examples=[42]
    )


class FraudEntities(EntityRequest):
    """A card and a terminal."""

    customer_id: EntityId = Field(description="The card.", examples=[596])
    terminal_id: EntityId = Field(description="The point of sale.", examples=[3156])

    def entity_ids(self) -> dict[str, int]:
        return {"customer_id": self.customer_id, "terminal_id": self.terminal_id}


class FraudRequest(PredictRequest, FraudEntities, TransactionId):
    """One card transaction."""

    amount_cents: int = Field(
        ge=0,
        le=MOST_CENTS,
        description="The amount in cents, at most 100,000,000,000.",
        examples=[5716],
    )

    def request_values(self, t_us: int) -> dict[str, int]:
        return {"amount_cents": self.amount_cents, SCORED_EVENTS.time_column: t_us}


class FraudPrediction(Prediction, TransactionId):
    """The score of a transaction."""

    decision: Literal["block", "allow"] = Field(
        description="block where the score is at or above the threshold.", examples=["allow"]
    )


USE_CASE = UseCase(
    name="fraud",
    events=SCORED_EVENTS,
    request=FraudRequest,
    entities=FraudEntities,
    prediction=FraudPrediction,
    own_fields=lambda request: {"transaction_id": request.transaction_id},
    # More than a fifth blocked is an attack or a fault: somebody has to look.
    decision_limits={"block": 0.2},
)
