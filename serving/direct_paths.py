"""Paths that take the body's bytes and answer bytes, described as any other in OpenAPI.

FastAPI's way from a body to an answer takes more time than Redis and the model together: its
routing, dependencies, exit stacks and validation of both sides. The few paths that carry the
load are answered by a middleware that lies inside all others (limits, keys and metrics apply):
the use case's schema reads the JSON itself, and the answer is encoded once. CPU of a request
to `predict`: 342 us with routes of Starlette, 250 so. FastAPI's routes of the same paths are
there for OpenAPI, and for methods that are not allowed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from lockstep.errors import LockstepError
from serving.problems import (
    ProblemResponse,
    error_response,
    http_error_response,
    unreadable_content_type,
)

Answer = Callable[[bytes], Awaitable[bytes]]

_JSON = b"application/json"
_HEADERS = (b"content-type", _JSON)


@dataclass(frozen=True)
class DirectPaths:
    """Middleware that answers `POST` to the paths of `answers`, and passes on all else."""

    app: ASGIApp
    answers: Mapping[str, Answer]
    retry_after_seconds: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = None
        if scope["type"] == "http" and scope["method"] == "POST":
            answer = self.answers.get(scope["path"])
        if answer is None:
            await self.app(scope, receive, send)
            return
        try:
            body = await _checked_body(scope, receive)
            if isinstance(body, ProblemResponse):
                await body(scope, receive, send)
                return
            content = await answer(body)
        except HTTPException as error:
            await http_error_response(error, scope["path"])(scope, receive, send)
            return
        except (LockstepError, ValidationError) as error:
            response = error_response(error, scope["path"], retry_after=self.retry_after_seconds)
            await response(scope, receive, send)
            return
        length = (b"content-length", str(len(content)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [_HEADERS, length]})
        await send({"type": "http.response.body", "body": content})


async def _checked_body(scope: Scope, receive: Receive) -> bytes | ProblemResponse:
    """The whole body; or what there is to say where it is not declared to be JSON."""
    declared = next((v for name, v in scope["headers"] if name == b"content-type"), b"")
    if declared != _JSON and declared.partition(b";")[0].strip().lower() != _JSON:
        return unreadable_content_type(declared.decode("latin-1"), scope["path"])
    parts = []
    while True:
        # Of a client that leaves before the end `BodyLimit` raises.
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def describe_path(
    app: FastAPI,
    path: str,
    *,
    body: type[BaseModel],
    answers: type[BaseModel],
    name: str,
    summary: str,
    description: str,
    responses: dict[int | str, dict[str, Any]],
) -> None:
    """Tells OpenAPI what a direct path takes and answers."""

    async def documented(body: BaseModel) -> None:
        raise AssertionError("the middleware answers before it comes to this")

    documented.__annotations__["body"] = body
    app.add_api_route(
        path,
        documented,
        methods=["POST"],
        name=name,
        summary=summary,
        description=description,
        response_model=answers,
        responses=responses,
        tags=["predictions"],
    )
    # First of all: the instrumentator looks for a path's name from the first route on.
    app.router.routes.insert(0, app.router.routes.pop())
