"""A client's connection: uvicorn's own, which besides ends when the client takes too long."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol


class Connection(HttpToolsProtocol):
    """Answers 408 and closes where a request does not come whole, or its answer is not read.

    uvicorn waits for ever for the first byte, for the rest of a request, for a client that goes
    on sending what was refused, and for one that does not read. Every `client_seconds` this
    looks at what the client owes: what it owed the last time too ends the connection, so after
    `client_seconds` to twice as many. A look costs the connection one timer, a request nothing.
    """

    def __init__(self, *args: Any, client_seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._client_seconds = client_seconds
        self._owed: object = None
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as theirs
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._next_look is not None:
            self._next_look.cancel()

    def _look(self) -> None:
        owed = self._owes()
        if owed is not None and owed is self._owed:
            self._end()
        self._owed = owed
        self._next_look = self.loop.call_later(self._client_seconds, self._look)

    def _owes(self) -> object:
        """What the client has still to do, the same object for as long as it is the same."""
        if self.scope is None:
            return self
        if self.transport.get_write_buffer_size():
            return self.cycle
        is_whole = self._has_headers() and not self.cycle.more_body
        return None if is_whole else self.scope

    def _has_headers(self) -> bool:
        return self.cycle is not None and self.cycle.scope is self.scope

    def _end(self) -> None:
        has_answer = self._has_headers() and self.cycle.response_started
        if self.scope is None or has_answer or self.transport.is_closing():
            self.transport.abort()
            return
        self._refuse(
            408,
            "The request did not come whole",
            "it took too long to come; send it again, at once",
            instance=self.scope.get("path", ""),
        )

    def send_400_response(self, msg: str) -> None:
        """As theirs, but a problem document."""
        self._refuse(400, "The bytes are no HTTP request", "send HTTP/1.1", instance="")

    def _refuse(self, status: int, title: str, detail: str, *, instance: str) -> None:
        """Answers what the application never had, or waits for in vain, and hangs up."""
        # Not above: the parent of the workers needs this module, and would wait for FastAPI.
        from serving.problems import Kind, problem_response

        response = problem_response(
            Kind(status, "connection", title),
            detail=detail,
            instance=instance,
            headers={"Connection": "close"},
        )
        lines = [b"%s: %s\r\n" % header for header in response.raw_headers]
        head = b"".join((STATUS_LINE[status], *lines, b"\r\n"))
        self.transport.write(head + bytes(response.body))
        self.transport.close()
