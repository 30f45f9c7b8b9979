"""A prediction API in a process of its own, and real requests to it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.cli.errors import DemoError

_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Api:
    """Where it listens, and where it logs."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def wait_until_ready(self) -> None:
        """Returns once `/ready` answers 200.

        Raises:
            DemoError: it ended, or was not ready in time; says why.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while (why := _unready(self.port)) is not None:
            if self.process.poll() is not None:
                raise DemoError.api_ended(self.process.returncode, self.log)
            if time.monotonic() > deadline:
                raise DemoError.api_not_ready(_READY_SECONDS, why, self.log)
            time.sleep(0.1)

    def post(self, path: str, bodies: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The answers to `bodies`, one request after another on one connection.

        Raises:
            DemoError: an answer is not 200.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for body in bodies:
            text = json.dumps(body)
            connection.request("POST", path, text, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read().decode()
            if response.status != 200:
                raise DemoError.refused(path, response.status, answer)
            yield json.loads(answer)
        connection.close()


@contextmanager
def serving(log: Path) -> Iterator[Api]:
    """`lockstep serve` on a free port of 127.0.0.1, ended on leaving."""
    port = _free_port()
    command = [str(Path(sys.executable).with_name("lockstep")), "serve", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield Api(port, log, process)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unready(port: int) -> str | None:
    """Why `/ready` does not answer 200; None if it does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        response = connection.getresponse()
        return None if response.status == 200 else response.read().decode()
    except OSError as error:
        return str(error)
    finally:
        connection.close()
