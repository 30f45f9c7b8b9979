"""The API in process, over real Redis and a real registry."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from starlette.testclient import TestClient

from lockstep.contract.clock import FixedClock
from lockstep.settings import Settings
from serving.app import create_app
from serving.model_fetcher import ModelFetcher
from serving.plan_compiler import serving_plan
from serving.settings import ServingSettings

PREDICT = "/v1/fraud/predict"
GOOD = {"customer_id": 1, "terminal_id": 2, "amount_cents": 300}
# Up to which the project is materialised.
END = datetime(2018, 5, 11, tzinfo=UTC)
PATIENCE_SECONDS = 25.0


@contextmanager
def api(settings: Settings, redis_url: str, now: datetime, **limits: Any) -> Iterator[TestClient]:
    """A client of the running application, ready or not, with the fetcher beside it."""
    project = settings.model_copy(update={"redis_url": redis_url})
    given = {"auth": "off", "log_share": 0, "model_retry_seconds": 0.05, **limits}
    chosen = ServingSettings(project=project, model_look_seconds=0.05, **given)
    plan, clock = serving_plan(chosen), FixedClock(now)
    fetcher = ModelFetcher(chosen, plan, clock)
    fetcher.start()
    try:
        with TestClient(create_app(chosen, plan, clock)) as client:
            yield client
    finally:
        fetcher.close()


def wait_until_ready(client: TestClient) -> None:
    """Returns once /ready answers 200."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := client.get("/ready")).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem document of `response`, which must be one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert set(document) == {"type", "title", "status", "detail", "instance", "errors"}
    return document
