"""The workers on a socket and the fetcher beside them, until they are told to stop."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import structlog
import uvicorn

from lockstep.contract.clock import SystemClock
from serving.connection import Connection
from serving.errors import ServerError
from serving.key_ring import KeyRing
from serving.plan import ServingPlan, plan_of
from serving.settings import ServingSettings
from serving.supervisor import Workers

_BACKLOG = 2048
# Longer than any request may take, shorter than what an orchestrator waits.
_DRAIN_SECONDS = 20

_log = structlog.get_logger(__name__)


def run(settings: ServingSettings) -> None:
    """Serves until SIGINT or SIGTERM; requests in flight are answered first.

    Raises:
        DefinitionsError: the definitions or their configuration cannot be used.
        ApiKeyError: the file with the API keys cannot be used.
        ServerError: the address is taken or not ours, there are no API keys, or workers
            cannot start.
    """
    with _listen(settings) as listening, _environment(settings):
        if settings.auth == "on" and not KeyRing(settings.keys_path).keys:
            raise ServerError.no_keys(settings.keys_path)
        plan = plan_of(settings)
        host, port = listening.getsockname()[:2]
        _log.info("listening", url=f"http://{host}:{port}", ready=f"http://{host}:{port}/ready")
        config = uvicorn.Config(
            "serving.worker:make_app",
            factory=True,
            http=partial(Connection, client_seconds=settings.client_seconds),  # type: ignore[arg-type]  # makes one
            workers=settings.workers,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        threading.Thread(target=_fetch, args=(settings, plan), daemon=True).start()
        Workers(config, sockets=[listening]).run()


def _fetch(settings: ServingSettings, plan: ServingPlan) -> None:
    """Brings models for as long as the process lives; imported here, while workers start."""
    from serving.model_fetcher import ModelFetcher

    ModelFetcher(settings, plan, SystemClock()).run()


@contextmanager
def _environment(settings: ServingSettings) -> Iterator[None]:
    """Tells the workers, which read their settings anew, what the command line said."""
    with tempfile.TemporaryDirectory(prefix="lockstep-metrics-") as folder:
        os.environ["SERVING_WORKERS"] = str(settings.workers)
        if settings.workers > 1:
            # Both before a worker imports prometheus_client, which looks once.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            os.environ["SERVING_METRICS_DIR"] = folder
        yield


def _listen(settings: ServingSettings) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise ServerError.cannot_listen(settings.host, settings.port, error) from error
    return listening
