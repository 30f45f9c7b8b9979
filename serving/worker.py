"""The application of one worker process, as uvicorn makes it."""

from __future__ import annotations

import gc
import sys

import structlog
from fastapi import FastAPI

from lockstep.contract.clock import SystemClock
from serving.app import create_app
from serving.errors import DefinitionsError
from serving.logs import configure_logs
from serving.plan import ServingPlan
from serving.settings import ServingSettings

# New objects before the collector looks: an answer to 1,000 rows makes some 30,000.
_MANY_OBJECTS = 50_000

_log = structlog.get_logger(__name__)


def make_app() -> FastAPI:
    """The API with the settings of the environment, and the plan that the parent has checked.

    Where it cannot be made the log says why, and the process ends.
    """
    configure_logs()
    try:
        return _app()
    except Exception as error:  # noqa: BLE001  whatever it is, the parent sees only that it ended
        _log.error("a worker cannot start", exc_info=error)
        sys.exit(1)


def _app() -> FastAPI:
    settings = ServingSettings()
    plan = ServingPlan.read(settings.plan_path)
    if plan is None:
        raise DefinitionsError.not_compiled(f"{settings.plan_path} is gone")
    app = create_app(settings, plan, SystemClock())
    # What is there now stays: the collector need not look at it again with every batch.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MANY_OBJECTS, 20, 50)
    return app
