"""The application of one worker process, as uvicorn makes it."""

from __future__ import annotations

from fastapi import FastAPI

from lockstep.contract.clock import SystemClock
from serving.app import create_app
from serving.errors import DefinitionsError
from serving.logs import configure_logs
from serving.plan import ServingPlan
from serving.settings import ServingSettings


def make_app() -> FastAPI:
    """The API with the settings of the environment, and the plan that the parent has checked.

    Raises:
        DefinitionsError: the plan is gone.
    """
    configure_logs()
    settings = ServingSettings()
    plan = ServingPlan.read(settings.plan_path)
    if plan is None:
        raise DefinitionsError.not_compiled(f"{settings.plan_path} is gone")
    return create_app(settings, plan, SystemClock())
