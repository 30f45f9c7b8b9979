"""A bound on the size of a request, with or without a declared length."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import TOO_LARGE, problem_response


@dataclass(frozen=True)
class BodyLimit:
    """Middleware that answers 413 where the body is longer than `max_bytes`.

    Starlette's own limit answers in plain text when the length is declared.
    """

    app: ASGIApp
    max_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > self.max_bytes:
            response = problem_response(
                TOO_LARGE,
                detail=self._detail(),
                instance=scope["path"],
            )
            await response(scope, receive, send)
            return
        await self.app(scope, self._bounded(receive), send)

    def _bounded(self, receive: Receive) -> Receive:
        total = 0

        async def bounded() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self.max_bytes:
                # FastAPI passes this one kind of exception on while it reads a body.
                raise HTTPException(TOO_LARGE.status, self._detail())
            return message

        return bounded

    def _detail(self) -> str:
        return f"the body has more than {self.max_bytes:,} bytes; send a batch in parts"
