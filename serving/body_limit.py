"""A bound on the size of a request, with or without a declared length; and a body comes whole."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import TOO_LARGE, problem_response

# No length that a file could have takes more.
_DIGITS = 19


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
        # Not `isdigit`, which takes superscripts too; and `int` takes no more than 4,300 digits.
        if declared.isdecimal() and (len(declared) > _DIGITS or int(declared) > self.max_bytes):
            response = problem_response(
                TOO_LARGE,
                detail=self._detail(),
                instance=scope["path"],
            )
            await response(scope, receive, send)
            return
        await self.app(scope, self._bounded(receive), send)

    def _bounded(self, receive: Receive) -> Receive:
        total, is_whole = 0, False

        async def bounded() -> Message:
            nonlocal total, is_whole
            message = await receive()
            if message["type"] != "http.request":
                # Nobody reads this answer; without one the metrics would count a 500.
                if not is_whole:
                    raise HTTPException(408, "the client left before its body was whole")
                return message
            total += len(message.get("body", b""))
            if total > self.max_bytes:
                # FastAPI passes this one kind of exception on while it reads a body.
                raise HTTPException(TOO_LARGE.status, self._detail())
            is_whole = not message.get("more_body")
            return message

        return bounded

    def _detail(self) -> str:
        return f"the body has more than {self.max_bytes:,} bytes; send a batch in parts"
