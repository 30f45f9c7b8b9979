"""Ad clicks over HTTP: a click in, bid or pass out."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from lockstep.contract.clicks import SCORED_EVENTS
from serving.schemas import EntityId, EntityRequest, Prediction, PredictRequest
from serving.use_case import UseCase


class ClickId(BaseModel):
    """The caller's own id."""

    click_id: EntityId | None = Field(
        default=None, description="Returned as it came.", examples=[42]
    )


class ClickEntities(EntityRequest):
    """Who clicked, on what, and where."""

    ip: EntityId = Field(description="The address, encoded.", examples=[5348])
    app: EntityId = Field(description="The app that was advertised.", examples=[12])
    device: EntityId = Field(description="The type of device.", examples=[1])
    os: EntityId = Field(description="The version of its system.", examples=[13])
    channel: EntityId = Field(description="The publisher's channel.", examples=[497])

    def entity_ids(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in SCORED_EVENTS.entity_keys}


class ClickRequest(PredictRequest, ClickEntities, ClickId):
    """One click."""

    def request_values(self, t_us: int) -> dict[str, int]:
        return {SCORED_EVENTS.time_column: t_us}


class ClickPrediction(Prediction, ClickId):
    """The probability that the app is downloaded after a click."""

    decision: Literal["bid", "pass"] = Field(
        description="bid where the score is at or above the threshold.", examples=["pass"]
    )


USE_CASE = UseCase(
    name="clicks",
    events=SCORED_EVENTS,
    request=ClickRequest,
    entities=ClickEntities,
    prediction=ClickPrediction,
    own_fields=lambda request: {"click_id": request.click_id},
)
