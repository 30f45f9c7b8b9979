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
from lockstep.contract.api_keys import Scope, add_key, new_key, revoke_key
from lockstep.contract.clock import SystemClock
from serving.settings import ServingSettings

_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Api:
    """Where it listens, what opens it, and where it logs."""

    port: int
    key: str
    log: Path
    process: subprocess.Popen[bytes]

    def wait_until_live(self) -> None:
        """Returns once it answers at all; raises as `wait_until_ready`."""
        self._wait_for("/live")

    def wait_until_ready(self) -> None:
        """Returns once `/ready` answers 200.

        Raises:
            DemoError: it ended, or was not ready in time; says why.
        """
        self._wait_for("/ready")

    def _wait_for(self, path: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while (why := _why_not(path, self.port)) is not None:
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
            headers = {"Content-Type": "application/json", "X-API-Key": self.key}
            connection.request("POST", path, text, headers)
            response = connection.getresponse()
            answer = response.read().decode()
            if response.status != 200:
                raise DemoError.refused(path, response.status, answer)
            yield json.loads(answer)
        connection.close()


@contextmanager
def serving(log: Path) -> Iterator[Api]:
    """`lockstep serve` on a free port of 127.0.0.1, ended on leaving, with a key until then."""
    port, path = _free_port(), ServingSettings().keys_path
    key, text = new_key("demo", frozenset({Scope.PREDICT, Scope.READ}), now=SystemClock().now())
    add_key(path, key)
    command = [str(Path(sys.executable).with_name("lockstep")), "serve", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield Api(port, text, log, process)
    finally:
        process.terminate()
        process.wait(timeout=30)
        revoke_key(path, key.id)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _why_not(path: str, port: int) -> str | None:
    """Why `path` does not answer 200; None if it does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return None if response.status == 200 else response.read().decode()
    except OSError as error:
        return str(error)
    finally:
        connection.close()
