"""The paths of the API; what they do is in `service.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from serving.errors import NotReadyError, UnknownUseCaseError
from serving.problems import MEDIA_TYPE, Problem
from serving.schemas import Health, PredictRequest
from serving.service import PredictionService
from serving.use_case import UseCase


def _problem(description: str) -> dict[str, Any]:
    schema = Problem.model_json_schema()
    # A reference to the schema's own definitions would not resolve inside the OpenAPI document.
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["FieldProblem"]
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


_PREDICT_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: _problem("The body cannot be read: bad UTF-8, nested too deep, or too long a number."),
    413: _problem("The body is too large."),
    422: _problem("A field is missing, unknown or out of range; or T lies before stored values."),
    503: _problem("There is no model, or Redis does not answer; see Retry-After."),
}


def prediction_routes(service: PredictionService, use_cases: Mapping[str, UseCase]) -> APIRouter:
    """`POST /v1/<use case>/predict` for each use case."""
    router = APIRouter(prefix="/v1", tags=["predictions"])
    for use_case in use_cases.values():
        _add_predict(router, service, use_case)

    @router.post("/{use_case}/predict", include_in_schema=False)
    async def unknown(use_case: str) -> None:
        raise UnknownUseCaseError.named(use_case, use_cases)

    return router


def _add_predict(router: APIRouter, service: PredictionService, use_case: UseCase) -> None:
    async def predict(body: PredictRequest) -> Response:
        """Scores one event by its entity ids; an unknown entity is scored as such."""
        prediction = await service.predict(use_case, body)
        # Serialised here once; returned as a model it would be validated a second time.
        return Response(prediction.model_dump_json(), media_type="application/json")

    predict.__annotations__["body"] = use_case.request
    router.add_api_route(
        f"/{use_case.name}/predict",
        predict,
        methods=["POST"],
        name=f"predict_{use_case.name}",
        summary=f"Score one event of {use_case.name}",
        response_model=use_case.prediction,
        responses=_PREDICT_PROBLEMS,
    )


def health_routes(service: PredictionService) -> APIRouter:
    """`/live` and `/ready`."""
    router = APIRouter(tags=["health"])

    @router.get("/live")
    async def live() -> Health:
        """The process answers."""
        return Health(status="live")

    @router.get("/ready", responses={503: _problem("What is missing.")})
    async def ready() -> Health:
        """A model is loaded and Redis answers."""
        missing = await service.why_not_ready()
        if missing:
            raise NotReadyError.missing(missing)
        return Health(status="ready")

    return router
