"""The paths of the API; what they do is in `service.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, create_model
from starlette.responses import JSONResponse

from serving.direct_paths import Answer, describe_path
from serving.errors import NotReadyError, UnknownUseCaseError
from serving.problems import MEDIA_TYPE, Problem
from serving.schemas import (
    BatchRequest,
    BatchRow,
    Explanation,
    Health,
    Models,
    StoredFeatures,
)
from serving.service import Services
from serving.use_case import UseCase

Responses = dict[int | str, dict[str, Any]]


def _problem(description: str) -> dict[str, Any]:
    schema = Problem.model_json_schema()
    # A reference to the schema's own definitions would not resolve inside the OpenAPI document.
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["FieldProblem"]
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


_KEY_PROBLEMS: Responses = {
    401: _problem("No API key, or one that is unknown, revoked or expired."),
    403: _problem("The API key lacks the scope."),
    429: _problem("The API key asks too often; see Retry-After."),
}
_BODY_PROBLEMS: Responses = {
    400: _problem("The body is no JSON."),
    **_KEY_PROBLEMS,
    408: _problem("The body did not come whole in time; the connection is closed."),
    413: _problem("The body, or the batch, is too large."),
    422: _problem(
        "A field is missing, unknown or out of range; T lies before stored values; or a stored "
        "value has a status that the feature service rejects."
    ),
    503: _problem("There is no model, or Redis does not answer; see Retry-After."),
}


def direct_answers(services: Services) -> dict[str, Answer]:
    """What answers the bodies of the paths that carry the load."""
    answers: dict[str, Answer] = {}
    for name, service in services.by_name.items():
        answers |= {
            f"/v1/{name}/predict": service.predict,
            f"/v1/{name}/predict/batch": service.predict_batch,
            f"/v1/{name}/explain": service.explain,
            f"/v1/{name}/features": service.features,
        }
    return answers


def add_use_case_routes(app: FastAPI, services: Services) -> None:
    """The paths of each use case, and of all models."""
    for service in services.by_name.values():
        _describe_use_case(app, service.use_case)
    app.include_router(_model_routes(services))
    app.include_router(_random_routes(services))
    for action in ("predict", "predict/batch", "explain", "features"):
        app.add_api_route(
            f"/v1/{{use_case}}/{action}",
            _unknown(services.by_name),
            methods=["POST"],
            include_in_schema=False,
        )


def _model_routes(services: Services) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/models", tags=["models"], responses={**_KEY_PROBLEMS})
    async def models() -> list[Models]:
        """What is loaded for each use case, and what was refused and why."""
        return [Models.model_validate(s.described()) for s in services.by_name.values()]

    @router.post(
        "/models/reload", tags=["models"], responses={**_KEY_PROBLEMS, 504: _problem("Too late.")}
    )
    async def reload() -> list[Models]:
        """Looks at the registry now; what is loaded afterwards."""
        for service in services.by_name.values():
            await service.reload()
        return await models()

    return router


def _random_routes(services: Services) -> APIRouter:
    """`GET /v1/<use case>/random`: what a request looks like, and what comes of it."""
    router = APIRouter(prefix="/v1")
    for name, service in services.by_name.items():
        use_case = service.use_case
        answers = _with(
            f"{use_case.prediction.__name__}Example",
            BaseModel,
            request=use_case.request,
            answer=use_case.prediction,
        )
        router.add_api_route(
            f"/{name}/random",
            _direct(service.random),
            methods=["GET"],
            name=f"random_{name}",
            summary=f"A request of {name} and its answer",
            description="One of those that were kept with the model, asked as of now.",
            response_model=answers,
            responses={
                **_KEY_PROBLEMS,
                404: _problem("The model was registered without requests."),
                503: _BODY_PROBLEMS[503],
            },
            tags=["predictions"],
        )
    return router


def _direct(answer: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """The answer as it is: it was checked when the request was."""

    async def direct() -> JSONResponse:
        return JSONResponse(await answer())

    return direct


def _unknown(known: Mapping[str, object]) -> Any:
    async def unknown(use_case: str) -> None:
        raise UnknownUseCaseError.named(use_case, known)

    return unknown


def _describe_use_case(app: FastAPI, use_case: UseCase) -> None:
    name = use_case.name
    explained = _with(
        f"{use_case.prediction.__name__}Explanation", Explanation, prediction=use_case.prediction
    )
    described = (
        (
            "predict",
            use_case.request,
            use_case.prediction,
            f"Score one event of {name}",
            "By its entity ids; an unknown entity is scored as such.",
        ),
        (
            "predict/batch",
            *_batch_of(use_case),
            f"Score many events of {name}",
            "Answered row by row, in their order: a bad row is a problem in its place and does "
            "not fail the others.",
        ),
        (
            "explain",
            use_case.request,
            explained,
            f"Score one event of {name} and say why",
            "With the SHAP value of each feature, and the reasons in words.",
        ),
        (
            "features",
            use_case.entities,
            StoredFeatures,
            f"What the online store holds for entities of {name}",
            "With the status, age and view of each value that the model's service reads.",
        ),
    )
    # Each comes before those described earlier: the path with most load is to be the first.
    for path, body, answers, summary, description in reversed(described):
        describe_path(
            app,
            f"/v1/{name}/{path}",
            body=body,
            answers=answers,
            name=f"{path.replace('/', '_')}_{name}",
            summary=summary,
            description=description,
            responses=_BODY_PROBLEMS,
        )


def _batch_of(use_case: UseCase) -> tuple[type[BaseModel], type[BaseModel]]:
    """Request and answer of a batch, as OpenAPI shows them."""
    request, prediction = use_case.request, use_case.prediction
    row = _with(f"{prediction.__name__}Row", BatchRow, prediction=prediction | None)
    rows = _with(f"{prediction.__name__}Rows", BaseModel, rows=list[row])  # type: ignore[valid-type]  # made here
    asked = _with(f"{request.__name__}s", BatchRequest, rows=list[request])  # type: ignore[valid-type]  # a value
    return asked, rows


def _with(name: str, base: type[BaseModel], **kinds: Any) -> type[BaseModel]:
    """A schema as `base`, whose fields say what they hold."""
    fields: dict[str, Any] = {
        field: (kind, base.model_fields.get(field, ...)) for field, kind in kinds.items()
    }
    return create_model(name, __base__=base, **fields)


def health_routes(services: Services) -> APIRouter:
    """`/live`, `/startup` and `/ready`."""
    router = APIRouter(tags=["health"])

    @router.get("/live")
    async def live() -> Health:
        """The process answers."""
        return Health(status="live")

    @router.get("/startup", responses={503: _problem("What is missing.")})
    async def startup() -> Health:
        """Every use case that has a champion has loaded a model once; Redis may be down."""
        if missing := await services.why_not_started():
            raise NotReadyError.missing(missing)
        return Health(status="started")

    @router.get("/ready", responses={503: _problem("What is missing.")})
    async def ready() -> Health:
        """A model is loaded and Redis answers."""
        if missing := await services.why_not_ready():
            raise NotReadyError.missing(missing)
        return Health(status="ready")

    return router
