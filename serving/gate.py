"""Who may ask what: API keys, their scopes, their rates, and the audit of what admins do."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from lockstep.contract.api_keys import ApiKey, Scope
from lockstep.contract.clock import Clock
from serving.key_ring import KeyRing
from serving.problems import Kind, ProblemResponse, problem_response
from serving.rate_limit import RateLimit

_OPEN = frozenset(
    (
        *("/", "/live", "/ready", "/startup", "/favicon.ico"),
        *("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"),
    )
)
_OPEN_FOLDERS = ("/static-offline-docs/", "/console/")
_RELOAD = "/v1/models/reload"
# By method.
_PREDICT = {
    "POST": re.compile(r"/v1/[^/]+/(?:predict|predict/batch|explain)"),
    "GET": re.compile(r"/v1/[^/]+/random"),
}

_log = structlog.get_logger("serving.audit")


def default_scopes(method: str, path: str) -> Scope | None:
    """What a key needs for a request; None where no key is asked for.

    >>> default_scopes("POST", "/v1/fraud/predict"), default_scopes("GET", "/live")
    (<Scope.PREDICT: 'predict'>, None)
    >>> default_scopes("GET", "/v1/property/random")
    <Scope.PREDICT: 'predict'>
    >>> default_scopes("POST", "/v1/models/reload"), default_scopes("GET", "/elsewhere")
    (<Scope.ADMIN: 'admin'>, <Scope.READ: 'read'>)
    """
    if path in _OPEN or path.startswith(_OPEN_FOLDERS):
        return None
    if method == "POST" and path == _RELOAD:
        return Scope.ADMIN
    predict = _PREDICT.get(method)
    return Scope.PREDICT if predict and predict.fullmatch(path) else Scope.READ


class KeyGate:
    """Middleware that lets through what `scope_of` says is open, and what comes with a key.

    The key is `X-API-Key`, or else the bearer of `Authorization`. Whatever runs inside finds
    its id as `request.state.api_key`. What needs the admin scope is logged once it is answered
    or refused; no key ever is.
    """

    # An allowed request costs 6 us more than without this class (best of 5 loops of 20,000, a
    # key with a rate among 21, the key as the last of eight headers; one core of a Xeon).

    def __init__(
        self,
        app: ASGIApp,
        ring: KeyRing,
        limit: RateLimit,
        scope_of: Callable[[str, str], Scope | None],
        clock: Clock,
    ) -> None:
        self._app = app
        self._ring = ring
        self._limit = limit
        self._scope_of = scope_of
        self._clock = clock
        self._limited = ring.keys

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path = _route_path(scope)
        # A websocket has no method; it is opened by a GET.
        method = scope.get("method", "GET")
        needed = self._scope_of(method, path)
        if needed is None:
            await self._app(scope, receive, send)
            return
        key = self._find(scope)
        answer = self._refusal(key, needed, path) or self._app
        if key is not None:
            scope.setdefault("state", {})["api_key"] = key.id
        if needed is Scope.ADMIN:
            answer = _audited(answer, key, method, path)
        await answer(scope, receive, send)

    def _find(self, scope: Connection) -> ApiKey | None:
        sent = _sent_key(scope["headers"])
        return None if sent is None else self._ring.find(sent, self._clock.now())

    def _refusal(self, key: ApiKey | None, needed: Scope, path: str) -> ProblemResponse | None:
        if key is None:
            return _unauthorized(path)
        if needed not in key.scopes:
            return _forbidden(key, needed, path)
        if self._limited is not self._ring.keys:
            self._limited = self._ring.keys
            self._limit.keep_only(self._limited)
        wait_seconds = self._limit.wait_seconds(key)
        return _too_many(key, wait_seconds, path) if wait_seconds else None


def _route_path(scope: Connection) -> str:
    """The path as routes see it: behind a proxy's prefix an admin path is still one."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _sent_key(headers: list[tuple[bytes, bytes]]) -> str | None:
    bearer = None
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1")
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip().decode("latin-1")
    return bearer


def _audited(answer: ASGIApp, key: ApiKey | None, method: str, path: str) -> ASGIApp:
    async def audited(scope: Connection, receive: Receive, send: Send) -> None:
        # What is answered for an application that raises instead.
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await answer(scope, receive, watched)
        finally:
            _log.info(
                "audit",
                key=key.id if key else None,
                name=key.name if key else None,
                method=method,
                path=path,
                status=status,
            )

    return audited


def _unauthorized(path: str) -> ProblemResponse:
    return problem_response(
        Kind(401, "unauthorized", "The request needs an API key"),
        detail=(
            "no key was sent, or it is unknown, revoked or expired; send one as X-API-Key or as "
            "Authorization: Bearer"
        ),
        instance=path,
        headers={"WWW-Authenticate": "Bearer"},
    )


def _forbidden(key: ApiKey, needed: Scope, path: str) -> ProblemResponse:
    return problem_response(
        Kind(403, "forbidden", "The API key may not do this"),
        detail=f"key {key.id} lacks the scope {needed.value!r}; use one that has it",
        instance=path,
    )


def _too_many(key: ApiKey, wait_seconds: float, path: str) -> ProblemResponse:
    seconds = max(1, math.ceil(wait_seconds))
    return problem_response(
        Kind(429, "too-many-requests", "The API key asks too often"),
        detail=f"key {key.id} has used up its {key.requests_per_second:g} requests a second and "
        f"its burst; ask again in {seconds} s",
        instance=path,
        headers={"Retry-After": str(seconds)},
    )
