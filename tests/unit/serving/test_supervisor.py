"""Workers that die: replaced for ever once they served, given up where they never do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE_SECONDS = 60
APPLICATIONS = """
import os
import socket
import sys

import uvicorn

from serving.errors import ServerError
from serving.logs import configure_logs
from serving.supervisor import Workers


async def application(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def serves():
    return application


def is_not_made():
    raise RuntimeError("no luck")


def ends():
    os.abort()


def does_not_start():
    async def failing(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no luck"})

    return failing


if __name__ == "__main__":
    configure_logs()
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(f"applications:{sys.argv[1]}", factory=True, workers=1, log_config=None)
    try:
        Workers(config, [listening]).run()
    except ServerError as error:
        sys.exit(str(error))
"""
Serve = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server of one of the applications; its processes log to its stderr."""
    (tmp_path / "applications.py").write_text(APPLICATIONS)
    started: list[tuple[subprocess.Popen[str], threading.Timer]] = []

    def start(application: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(tmp_path / "applications.py"), application]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        too_late = threading.Timer(PATIENCE_SECONDS, server.terminate)
        too_late.start()
        started.append((server, too_late))
        return server

    yield start
    for server, too_late in started:
        too_late.cancel()
        with server:
            server.terminate()


@pytest.mark.parametrize(
    ("application", "deaths"), [("is_not_made", 3), ("ends", 3), ("does_not_start", 0)]
)
def test_workers_that_never_serve_are_given_up(serve: Serve, application: str, deaths: int) -> None:
    server = serve(application)
    _, told = server.communicate()
    assert server.returncode == 1
    assert told.count("a worker died before it served") == deaths
    last = told.splitlines()[-1]
    assert last.startswith(f"workers ended before they served, {deaths or 1} in a row; see")


def test_a_worker_that_served_is_replaced_however_often_it_dies(serve: Serve) -> None:
    server = serve("serves")
    for _ in range(5):
        os.kill(_seen_to_serve(server), signal.SIGKILL)
    _seen_to_serve(server)
    server.terminate()
    _, told = server.communicate()
    assert (server.returncode, told) == (0, "")


def _seen_to_serve(server: subprocess.Popen[str]) -> int:
    """The process id of the next worker that the server has seen to serve."""
    assert server.stderr is not None
    pid: int = json.loads(server.stderr.readline())["pid"]
    return pid
