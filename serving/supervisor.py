"""The processes of the workers: replaced when they die, unless they never serve at all."""

from __future__ import annotations

from socket import socket

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from serving.errors import ServerError

# What is wrong for a moment only may be over by then.
_MOST_FAILURES = 3

_log = structlog.get_logger(__name__)


class Workers(Multiprocess):
    """uvicorn's workers, which besides end where some die again and again before they serve."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._serving: set[Process] = set()
        self._failures = 0

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM.

        Raises:
            ServerError: workers cannot start.
        """
        super().run()
        # uvicorn itself ends all at once where the application says that it cannot start.
        if any(worker.exitcode == STARTUP_FAILURE for worker in self.processes):
            raise ServerError.no_worker(self._failures + 1)
        if self._failures >= _MOST_FAILURES:
            raise ServerError.no_worker(self._failures)

    def keep_subprocess_alive(self) -> None:
        """Replaces the dead, and counts how many in a row died before they were seen to serve."""
        before = tuple(self.processes)
        super().keep_subprocess_alive()
        for worker, now in zip(before, self.processes, strict=True):
            if now is worker:
                self._look_at(worker)
            elif worker in self._serving:
                self._serving.remove(worker)
            else:
                self._failures += 1
                _log.error("a worker died before it served", pid=worker.pid, code=worker.exitcode)
        if self._failures >= _MOST_FAILURES:
            self.should_exit.set()

    def _look_at(self, worker: Process) -> None:
        if worker not in self._serving and worker.is_ready():
            self._serving.add(worker)
            self._failures = 0
            _log.info("a worker serves", pid=worker.pid)
