"""The application: routes, metrics, limits, and the one map from errors to HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import NamedTuple

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.exceptions import HTTPException

from lockstep.contract.clock import Clock
from lockstep.contract.model_artefact import ModelArtefactError
from lockstep.contract.model_registry import RegistryError
from lockstep.contract.registered_model import NoModelError
from lockstep.errors import LockstepError
from lockstep.stores.errors import StoreUnavailableError
from serving import fraud
from serving.body_limit import BodyLimit
from serving.errors import (
    DefinitionsError,
    FutureFeaturesError,
    NotMaterializedError,
    NotReadyError,
    UnknownUseCaseError,
)
from serving.problems import ProblemResponse, body_problem, field_problems, problem_response
from serving.routes import health_routes, prediction_routes
from serving.service import PredictionService
from serving.settings import ServingSettings

USE_CASES = {use_case.name: use_case for use_case in (fraud.USE_CASE,)}

_log = structlog.get_logger(__name__)


class _Kind(NamedTuple):
    status: int
    name: str
    title: str


_NO_MODEL = _Kind(503, "no-model", "There is no model to score with")
_UNEXPECTED = _Kind(500, "unexpected", "The server failed")
_KINDS: dict[type[LockstepError], _Kind] = {
    UnknownUseCaseError: _Kind(404, "unknown-use-case", "There is no such use case"),
    FutureFeaturesError: _Kind(422, "future-features", "T lies before the stored values"),
    StoreUnavailableError: _Kind(503, "no-redis", "The online store does not answer"),
    NotMaterializedError: _Kind(503, "not-materialized", "The online store is empty"),
    NotReadyError: _Kind(503, "not-ready", "The server is not ready"),
    NoModelError: _NO_MODEL,
    DefinitionsError: _NO_MODEL,
    ModelArtefactError: _NO_MODEL,
    RegistryError: _NO_MODEL,
}


def create_app(settings: ServingSettings, clock: Clock) -> FastAPI:
    """The API over one project; `clock` gives T to requests that name none.

    Raises:
        DefinitionsError: the feature repository's configuration cannot be used.
    """
    service = PredictionService(settings, USE_CASES, clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    # The documentation page with its scripts from the package: no outside assets.
    app = FastAPIOffline(
        title="Lockstep",
        summary="Scores by entity id, from the features that the model was trained on.",
        version=version("lockstep"),
        description="Failures are problem documents, unknown paths (404) and methods (405) too.",
        # A path with a slash too many is unknown; a redirect would have no problem document.
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(health_routes(service))
    app.include_router(prediction_routes(service, USE_CASES))
    _add_problem_handlers(app, retry_after_seconds=settings.retry_after_seconds)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    _add_metrics(app)
    return app


def _add_metrics(app: FastAPI) -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    Instrumentator(registry=registry, excluded_handlers=["/metrics"]).instrument(app)

    # Not the instrumentator's own route: importing Feast sets PROMETHEUS_MULTIPROC_DIR, and
    # then that one shows the files in Feast's folder instead of this registry.
    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counts and latencies, in Prometheus's text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _add_problem_handlers(app: FastAPI, *, retry_after_seconds: int) -> None:
    @app.exception_handler(LockstepError)
    async def on_lockstep_error(request: Request, error: LockstepError) -> ProblemResponse:
        kind = _KINDS.get(type(error), _UNEXPECTED)
        wait = {"Retry-After": str(retry_after_seconds)} if kind.status == 503 else None
        return problem_response(
            kind.name,
            title=kind.title,
            status=kind.status,
            detail=str(error),
            instance=request.url.path,
            headers=wait,
        )

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> ProblemResponse:
        fields = field_problems(error)
        listed = "; ".join(f"{field.field}: {field.problem}" for field in fields[:5])
        return problem_response(
            "validation",
            title="The request is not valid",
            status=422,
            detail=f"{listed}; see /docs for what is expected",
            instance=request.url.path,
            errors=fields,
        )

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> ProblemResponse:
        if error.status_code == 400 and error.__cause__:
            return _unreadable_body(request, error.__cause__)
        return problem_response(
            "http",
            title="The request cannot be answered",
            status=error.status_code,
            detail=f"{error.detail}; see /docs for what there is",
            instance=request.url.path,
            headers=error.headers,
        )

    @app.exception_handler(Exception)
    async def on_unexpected(request: Request, error: Exception) -> ProblemResponse:
        _log.error("unexpected error", path=request.url.path, exc_info=error)
        return problem_response(
            _UNEXPECTED.name,
            title=_UNEXPECTED.title,
            status=_UNEXPECTED.status,
            detail="an unexpected error; the server's log has it",
            instance=request.url.path,
        )


def _unreadable_body(request: Request, cause: BaseException) -> ProblemResponse:
    field = body_problem(cause)
    return problem_response(
        "unreadable-body",
        title="The body cannot be read",
        status=400,
        detail=f"{field.field}: {field.problem}; see /docs for what is expected",
        instance=request.url.path,
        errors=[field],
    )
