"""The application: routes, metrics, limits, and the one map from errors to HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

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
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_fastapi_instrumentator import Instrumentator
from prometheus_fastapi_instrumentator.metrics import latency, requests
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from lockstep.contract.clock import Clock
from lockstep.errors import LockstepError
from lockstep.lake.lake import Lake
from serving.body_limit import BodyLimit
from serving.console import console_routes
from serving.direct_paths import DirectPaths
from serving.feature_log import FeatureLog
from serving.gate import KeyGate, default_scopes
from serving.key_ring import KeyRing
from serving.metrics import LATENCY_SECONDS, Metrics
from serving.plan import ServingPlan
from serving.problems import (
    UNEXPECTED,
    ProblemResponse,
    error_response,
    http_error_response,
    problem_response,
)
from serving.rate_limit import RateLimit
from serving.routes import add_use_case_routes, direct_answers, health_routes
from serving.service import Services
from serving.settings import ServingSettings
from serving.use_cases import USE_CASES

_log = structlog.get_logger(__name__)

# How long the log may take to write what is left when the server ends.
_LOG_PATIENCE_SECONDS = 10.0


def create_app(settings: ServingSettings, plan: ServingPlan, clock: Clock) -> FastAPI:
    """The API over one project; `clock` gives T to requests that name none.

    Models come from the cache that a `ModelFetcher` fills.

    Raises:
        DefinitionsError: the feature repository's configuration cannot be used.
        ApiKeyError: the file with the API keys cannot be used.
    """
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    log = _feature_log(settings)
    services = Services(settings, USE_CASES, plan, clock=clock, metrics=metrics, log=log)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with services.running(), metrics.counting():
            yield
        if log is not None:
            await asyncio.to_thread(log.close, _LOG_PATIENCE_SECONDS)

    # The documentation page with its scripts from the package: no outside assets.
    app = FastAPIOffline(
        title="Lockstep",
        summary="Scores by entity id, from the features that the model was trained on.",
        version=version("lockstep"),
        description="Failures are problem documents, unknown paths (404) and methods (405) too.",
        # A path with a slash too many is unknown; a redirect would have no problem document.
        redirect_slashes=False,
        # One name for a request, whether it is sent or shown as an example.
        separate_input_output_schemas=False,
        # Looking for a tracer takes 12 us a request, and none is set up.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
    )
    app.include_router(health_routes(services))
    add_use_case_routes(app, services)
    app.include_router(console_routes())
    _describe_keys(app)
    _add_problem_handlers(app, retry_after_seconds=settings.retry_after_seconds)
    # Innermost first: the paths that carry the load, then limits, keys and metrics around them.
    app.add_middleware(
        DirectPaths,
        answers=direct_answers(services),
        retry_after_seconds=settings.retry_after_seconds,
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    _add_keys(app, settings, clock)
    _add_metrics(app, metrics, log, settings)
    return app


def _feature_log(settings: ServingSettings) -> FeatureLog | None:
    if not settings.log_share:
        return None
    return FeatureLog(
        Lake.at(settings.project.lake),
        share=settings.log_share,
        max_rows=settings.log_max_rows,
        flush_seconds=settings.log_flush_seconds,
    )


def _add_keys(app: FastAPI, settings: ServingSettings, clock: Clock) -> None:
    if settings.auth == "off":
        _log.warning("ANYBODY IS SERVED: SERVING_AUTH is off, no API key is asked for")
        return
    app.add_middleware(
        KeyGate,
        ring=KeyRing(settings.keys_path),
        limit=RateLimit(workers=settings.workers),
        scope_of=default_scopes,
        clock=clock,
    )


def _describe_keys(app: FastAPI) -> None:
    """Tells OpenAPI of the keys, which a middleware asks for."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        document.setdefault("components", {})["securitySchemes"] = {
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if default_scopes(method.upper(), path):
                    operation["security"] = [{"header": []}, {"bearer": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _add_metrics(
    app: FastAPI, metrics: Metrics, log: FeatureLog | None, settings: ServingSettings
) -> None:
    registry = metrics.registry
    if log is not None:
        metrics.watch(log)
    if settings.metrics_dir is None:
        ProcessCollector(registry=registry)
    instrumentator = Instrumentator(registry=registry, excluded_handlers=["/metrics"])
    for add in (requests(registry=registry), latency(buckets=LATENCY_SECONDS, registry=registry)):
        instrumentator.add(add)
    instrumentator.instrument(app)

    # Not the instrumentator's own route: it shows the files of PROMETHEUS_MULTIPROC_DIR where
    # that is set, which in a process that imported Feast is Feast's own folder.
    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def prometheus() -> Response:
        """Counts and latencies of all workers, in Prometheus's text format."""
        metrics.count()
        shown = registry
        if settings.metrics_dir is not None:
            shown = CollectorRegistry()
            MultiProcessCollector(shown, path=str(settings.metrics_dir))  # type: ignore[no-untyped-call]  # theirs
        return Response(generate_latest(shown), media_type=CONTENT_TYPE_LATEST)


def _add_problem_handlers(app: FastAPI, *, retry_after_seconds: int) -> None:
    @app.exception_handler(LockstepError)
    @app.exception_handler(ValidationError)
    @app.exception_handler(RequestValidationError)
    async def on_error(request: Request, error: LockstepError | ValidationError) -> ProblemResponse:
        return error_response(error, request.url.path, retry_after=retry_after_seconds)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> ProblemResponse:
        return http_error_response(error, request.url.path)

    @app.exception_handler(Exception)
    async def on_unexpected(request: Request, error: Exception) -> ProblemResponse:
        _log.error("unexpected error", path=request.url.path, exc_info=error)
        return problem_response(
            UNEXPECTED,
            detail="an unexpected error; the server's log has it",
            instance=request.url.path,
        )
