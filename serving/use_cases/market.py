"""Asset prices over HTTP: an asset in, perhaps with a bar that is not stored yet; a call out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from feature_repo.windows.market import WINDOW_SPECS
from lockstep.contract.market import SCORED_EVENTS
from lockstep.jobs.ingest.column import Problem
from lockstep.jobs.ingest.market import DECIMALS, DEFAULT_INTERVAL, MAX_PRICE_TICKS, ingest_spec
from lockstep.jobs.ingest.units import units
from lockstep.windows.microseconds import instant_at, microseconds
from serving.fresh_row import FreshRow
from serving.schemas import Classification, EntityId, EntityRequest, PredictRequest, UtcInstant
from serving.use_case import UseCase
from serving.wrong_fields import wrong_fields

_SPEC = ingest_spec()
_COLUMNS = {column.name: column for column in _SPEC.columns}
_PRICES = ("open", "high", "low", "close")
_PROBLEMS = {
    Problem.NOT_A_NUMBER: "expected a number, or a text such as 9523.44",
    Problem.TOO_PRECISE: f"has more than {DECIMALS} digits after the point",
    Problem.TOO_SMALL: "is below what a bar can have: prices above 0, volumes from 0 on",
    Problem.TOO_LARGE: "is above what is stored: "
    f"prices up to {MAX_PRICE_TICKS // 10**DECIMALS:,} of the quote currency",
}


def _stored_as(name: str) -> BeforeValidator:
    """Checks a number as ingestion does, and makes the whole units of it that the lake has."""
    column = _COLUMNS[name]

    def stored(value: Any) -> int:
        found = units(value, column)
        if isinstance(found, Problem):
            raise ValueError(f"{found.value}: {_PROBLEMS[found]}")
        return found

    return BeforeValidator(stored, json_schema_input_type=float | str)


class Candle(BaseModel):
    """A bar as an exchange exports it; numbers become ticks and lots, as in the lake."""

    model_config = ConfigDict(extra="forbid", strict=True)

    open_time: UtcInstant = Field(
        description=f"The beginning of its interval of {DEFAULT_INTERVAL}, RFC 3339 in UTC.",
        examples=["2024-01-31T20:00:00Z"],
    )
    open: Annotated[int, _stored_as("open")] = Field(
        description="The first price.", examples=[42_569.76]
    )
    high: Annotated[int, _stored_as("high")] = Field(
        description="The highest, not below any other.", examples=[42_876.0]
    )
    low: Annotated[int, _stored_as("low")] = Field(description="The lowest.", examples=[42_473.41])
    close: Annotated[int, _stored_as("close")] = Field(
        description="The last price.", examples=["42580.00000000"]
    )
    volume: Annotated[int, _stored_as("volume")] = Field(
        description="What was traded, in the asset.", examples=[3_742.07]
    )

    @model_validator(mode="after")
    def _prices_fit(self) -> Candle:
        wrong = [
            self._wrong(larger, f"is below the {other}")
            for larger, other in _SPEC.never_below
            if getattr(self, larger) < getattr(self, other)
        ]
        column = _COLUMNS["bar_close_us"]
        if not column.minimum <= self.end_us <= column.maximum:
            wrong.append(self._wrong("open_time", "is not between 1970 and 2100"))
        if (self.end_us - column.shift_us) % (column.grid_us or 1):
            wrong.append(self._wrong("open_time", f"is no beginning of {DEFAULT_INTERVAL}"))
        if wrong:
            raise wrong_fields(*wrong)
        return self

    def _wrong(self, field: str, what: str) -> tuple[str, str, object]:
        value = getattr(self, field)
        got = value / 10**DECIMALS if isinstance(value, int) else str(value)
        return field, f"{field} {what}", got

    @property
    def end_us(self) -> int:
        """When the bar is over, in microseconds: its event time."""
        return microseconds(self.open_time) + _COLUMNS["bar_close_us"].shift_us


class MarketEntities(EntityRequest):
    """An asset."""

    asset_id: EntityId = Field(description="What is traded.", examples=[1])

    def entity_ids(self) -> dict[str, int]:
        return {"asset_id": self.asset_id}


class MarketRequest(PredictRequest, MarketEntities):
    """What to do about an asset at T; with a candle, T is right after its end by default."""

    candle: Candle | None = Field(
        default=None,
        description="The bar that has just ended and is not stored yet: features are those that "
        "there would be with it.",
    )

    @model_validator(mode="after")
    def _t_is_after_the_candle(self) -> MarketRequest:
        if self.candle is None:
            return self
        known = instant_at(self.candle.end_us + SCORED_EVENTS.delay_us)
        if self.event_timestamp is None:
            self.event_timestamp = known
        elif self.event_timestamp < known:
            before = "lies before the candle is known, which is a microsecond after its end"
            raise wrong_fields(("event_timestamp", before, str(self.event_timestamp)))
        return self

    def request_values(self, t_us: int) -> dict[str, int]:
        return {SCORED_EVENTS.time_column: t_us}

    def fresh_row(self) -> FreshRow | None:
        candle = self.candle
        if candle is None:
            return None
        prices = {f"{name}_ticks": getattr(candle, name) for name in _PRICES}
        return FreshRow(candle.end_us, prices | {"volume_lots": candle.volume})


class MarketPrediction(Classification):
    """What to do about the asset."""

    asset_id: EntityId = Field(description="As it was asked.", examples=[1])
    decision: Literal["hold", "buy", "sell"] = Field(
        description="buy or sell where its probability reaches the threshold.", examples=["hold"]
    )


USE_CASE = UseCase(
    name="market",
    events=SCORED_EVENTS,
    request=MarketRequest,
    entities=MarketEntities,
    prediction=MarketPrediction,
    own_fields=lambda request: {"asset_id": request.asset_id},
    windows=WINDOW_SPECS,
)
