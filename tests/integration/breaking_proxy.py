"""A way to a server that breaks after so many bytes."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_CHUNK = 64 * 1024


@contextmanager
def breaking_proxy(
    url: str, *, after: int, answers: bool = False, then: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """An address that leads to `url`, until a connection has sent `after` bytes there.

    It then does `then` and hangs up. With `answers` the bytes of the way back count.
    """
    host, port = urlsplit(url).hostname, urlsplit(url).port

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # Whoever dies first, this connection ends with it.
            with suppress(OSError), socket.create_connection((host, port)) as server:
                there = (self.request, server, None if answers else after)
                back = (server, self.request, after if answers else None)
                returning = threading.Thread(target=self._pass_on, args=back)
                returning.start()
                self._pass_on(*there)
                returning.join()

        def _pass_on(self, source: socket.socket, to: socket.socket, limit: int | None) -> None:
            passed = 0
            with suppress(OSError):
                while data := source.recv(_CHUNK):
                    passed += len(data)
                    if limit is not None and passed > limit:
                        then()
                        break
                    to.sendall(data)
            for end in (source, to):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as proxy:
        serving = threading.Thread(target=proxy.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}"
        finally:
            proxy.shutdown()
            serving.join()
