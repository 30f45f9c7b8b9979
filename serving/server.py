"""The application on a socket, until it is told to stop."""

from __future__ import annotations

import socket
from contextlib import suppress

import structlog
import uvicorn

from lockstep.contract.clock import SystemClock
from serving.app import create_app
from serving.errors import ServerError
from serving.settings import ServingSettings

_BACKLOG = 2048

_log = structlog.get_logger(__name__)


def run(settings: ServingSettings) -> None:
    """Serves until SIGINT or SIGTERM; requests in flight are answered first.

    Raises:
        DefinitionsError: the feature repository's configuration cannot be used.
        ServerError: the address is taken or not ours.
    """
    app = create_app(settings, SystemClock())
    with _listen(settings) as listening:
        host, port = listening.getsockname()[:2]
        _log.info("listening", url=f"http://{host}:{port}", ready=f"http://{host}:{port}/ready")
        config = uvicorn.Config(app, log_config=None, access_log=False, backlog=_BACKLOG)
        # uvicorn raises it again once it has shut down.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def _listen(settings: ServingSettings) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise ServerError.cannot_listen(settings.host, settings.port, error) from error
    return listening
