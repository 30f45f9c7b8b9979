"""A way to a server on which bytes come late, or not, or break off: faults from outside."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
# Whoever closes so sends a reset instead of the end.
_RESET = struct.pack("ii", 1, 0)
_LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Fault:
    """What is wrong with a way; nothing by default.

    delay_seconds   how long each piece of an answer is held back
    is_silent       nothing passes either way; it does once the fault is another
    after           a connection breaks when it has passed so many bytes on to the server, or
                    with `answers` back from it
    resets          it breaks with a reset
    then            what is done when it breaks
    """

    delay_seconds: float = 0.0
    is_silent: bool = False
    after: int | None = None
    answers: bool = False
    resets: bool = False
    then: Callable[[], object] = lambda: None


HEALTHY = Fault()


class Way:
    """Where it is, its fault, which may be changed while connections use it, and what it did."""

    def __init__(self, url: str, fault: Fault) -> None:
        self.url = url
        self.fault = fault
        self.breaks = 0

    def pass_on(self, source: socket.socket, to: socket.socket, *, is_answer: bool) -> None:
        """Until one of both ends, or the fault ends them."""
        passed = 0
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                self._wait(is_answer)
                passed += len(data)
                fault = self.fault
                if fault.after is not None and fault.answers == is_answer and passed > fault.after:
                    self.breaks += 1
                    fault.then()
                    break
                to.sendall(data)
        _wake(source, to, resets=self.fault.resets)

    def _wait(self, is_answer: bool) -> None:
        if is_answer and self.fault.delay_seconds:
            time.sleep(self.fault.delay_seconds)
        while self.fault.is_silent:
            time.sleep(_LOOK_SECONDS)


@contextmanager
def faulty_way(url: str, fault: Fault = HEALTHY) -> Iterator[Way]:
    """A way that leads to `url` under the same scheme."""
    parts = urlsplit(url)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # Whoever dies first, this connection ends with it.
            with suppress(OSError), socket.create_connection((parts.hostname, parts.port)) as there:
                back = threading.Thread(
                    target=way.pass_on, args=(there, self.request), kwargs={"is_answer": True}
                )
                back.start()
                way.pass_on(self.request, there, is_answer=False)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def shutdown_request(self, request: Any) -> None:
            """Without the polite end that would come before a reset."""
            self.close_request(request)

    with Server(("127.0.0.1", 0), Handler) as server:
        port = server.server_address[1]
        way = Way(parts._replace(netloc=f"127.0.0.1:{port}").geturl(), fault)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield way
        finally:
            way.fault = HEALTHY
            server.shutdown()
            serving.join()


def _wake(*ends: socket.socket, resets: bool) -> None:
    """Ends what waits for these; they are closed by whoever opened them."""
    for end in ends:
        with suppress(OSError):
            if resets:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.shutdown(socket.SHUT_RD if resets else socket.SHUT_RDWR)
