"""An HTTP server that shows the last look at the platform; looking never holds up a scrape."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

from lockstep.monitoring.gauges import Gauges

if TYPE_CHECKING:
    from prometheus_client import Metric

_log = structlog.get_logger(__name__)


class LastLook(Collector):
    """What the last look found; looks again every so many seconds until it is closed."""

    def __init__(self, look: Callable[[], Gauges], *, every_seconds: float) -> None:
        self._look, self._every = look, every_seconds
        self._found = look()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="looking", daemon=True)
        self._thread.start()

    def collect(self) -> Iterable[Metric]:
        """The families of the last look."""
        return self._found.families()

    def close(self) -> None:
        """Returns once it looks no more."""
        self._ended.set()
        self._thread.join()

    def _keep_looking(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self._found = self._look()
            except Exception as error:  # noqa: BLE001  the age of the last look is alerted on
                _log.error("looking failed", exc_info=error)


@contextmanager
def exporting(
    look: Callable[[], Gauges], *, host: str, port: int, every_seconds: float
) -> Iterator[int]:
    """Serves `/metrics` inside the block; the port that it has, also where 0 asks for any."""
    last = LastLook(look, every_seconds=every_seconds)
    registry = CollectorRegistry()
    registry.register(last)
    server, thread = start_http_server(port, addr=host, registry=registry)
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        last.close()
