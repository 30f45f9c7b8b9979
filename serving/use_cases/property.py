"""Flat prices over HTTP: a flat in, its price and the range of it out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, Field, create_model, model_validator

from lockstep.contract.name_id import name_id
from lockstep.contract.property import ATTRIBUTES, NEVER_BELOW, NOT_STATED, SCORED_EVENTS, Attribute
from lockstep.contract.property_cell import PLACE, place_ids
from serving.schemas import EntityId, EntityRequest, Estimate, PredictRequest
from serving.use_case import UseCase
from serving.wrong_fields import wrong_fields

_UNITS = {
    "_dm2": "in hundredths of a square metre",
    "_cm": "in centimetres",
    "_m": "in metres",
    "_e6": "in millionths of a degree",
}
_EXAMPLES = {
    "total_area_dm2": 4_040,
    "living_area_dm2": 1_860,
    "kitchen_area_dm2": 1_100,
    "rooms": 1,
    "floor": 1,
    "floors_total": 11,
    "balconies": 2,
    "centre_m": 18_603,
    "airport_m": 12_817,
}
_LONGEST_NAME = 200


class ListingId(BaseModel):
    """The caller's own id."""

    listing_id: EntityId | None = Field(
        default=None, description="Returned as it came.", examples=[42]
    )


def _field(name: str, limits: Attribute) -> Any:
    end = next((end for end in _UNITS if name.endswith(end)), "")
    what = [name.removesuffix(end).replace("_", " ").capitalize(), _UNITS.get(end)]
    if (limits.minimum, limits.maximum) == (0, 1):
        what.append("1 for yes and 0 for no")
    # The limits are in the schema.
    described: dict[str, Any] = {
        "description": ", ".join(filter(None, what))
        + ("." if limits.required else "; null where it is not stated."),
        "ge": limits.minimum,
        "le": limits.maximum,
    }
    if name in _EXAMPLES:
        described["examples"] = [_EXAMPLES[name]]
    if limits.required:
        return int, Field(**described)
    return int | None, Field(default=None, **described)


def _attributes(names: Iterable[str]) -> type[BaseModel]:
    """A schema of these; they are declared once, in the contract."""
    fields: Any = {name: _field(name, ATTRIBUTES[name]) for name in names}
    return create_model("Attributes", **fields)


class Locality(EntityRequest):
    """A city, town or village, by its name or by the id of its name."""

    locality: str | None = Field(
        default=None,
        pattern=r"\S",
        max_length=_LONGEST_NAME,
        description="Its name. One of this and `locality_id` is needed.",
        examples=["посёлок Шушары"],
    )
    locality_id: EntityId | None = Field(
        default=None, description="What ingestion made of the name.", examples=[None]
    )

    @model_validator(mode="after")
    def _is_named_once(self) -> Self:
        if (self.locality is None) == (self.locality_id is None):
            problem = "expected one of locality and locality_id"
            raise wrong_fields(("locality", problem, self.locality))
        return self

    def entity_ids(self) -> dict[str, int]:
        named = self.locality_id if self.locality is None else name_id(self.locality)
        locality = {"locality_id": named or 0}
        return locality | place_ids(**locality, **{n: _whole(getattr(self, n)) for n in PLACE})


class PropertyEntities(_attributes(PLACE), Locality):  # type: ignore[misc]  # made here
    """Where a flat is."""


class PropertyRequest(_attributes(ATTRIBUTES), Locality, PredictRequest, ListingId):  # type: ignore[misc]  # made here
    """One flat, as it is published."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        for whole, *parts in NEVER_BELOW:
            stated = [getattr(self, name) for name in (whole, *parts)]
            if None not in stated and stated[0] < sum(stated[1:]):
                raise wrong_fields((whole, f"is below {' and '.join(parts)}", stated[0]))
        return self

    def request_values(self, t_us: int) -> dict[str, int]:
        stated = {name: _whole(getattr(self, name)) for name in ATTRIBUTES}
        return stated | {SCORED_EVENTS.time_column: t_us}


class PropertyEstimate(Estimate, ListingId):
    """What a flat will be taken down at, in roubles."""


def _whole(value: int | None) -> int:
    return NOT_STATED if value is None else value


USE_CASE = UseCase(
    name="property",
    events=SCORED_EVENTS,
    request=PropertyRequest,
    entities=PropertyEntities,
    prediction=PropertyEstimate,
    own_fields=lambda request: {"listing_id": request.listing_id},
)
