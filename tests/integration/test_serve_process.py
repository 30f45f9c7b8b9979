"""The server as a process: what it does when it, Redis or a worker is ended under load."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from client_threads import client_threads
from fraud_project import Project, materialize
from free_port import free_port
from serving_client import END, GOOD, PREDICT

from lockstep.cli.demo_parts.api import Api, serving
from lockstep.stores.embedded_redis import embedded_redis, server_url

BODY = GOOD | {"event_timestamp": END.isoformat()}
PATIENCE_SECONDS = 60


@pytest.fixture
def environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> int:
    """Of a server over the trained project; the port of its Redis."""
    port = free_port()
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(project.settings.project_dir))
    monkeypatch.setenv("REDIS_URL", server_url(port))
    monkeypatch.setenv("SERVING_LOG_SHARE", "0")
    return port


@dataclass
class Load:
    """Clients that ask again and again, each on a connection of its own."""

    api: Api
    statuses: Counter[int] = field(default_factory=Counter)
    scores: set[float] = field(default_factory=set)
    odd: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        while not self.ended.is_set():
            status, headers, answer = _post(self.api, PREDICT, BODY)
            self.statuses[status] += 1
            if status == 200:
                self.scores.add(answer["score"])
            elif status != 503 or "Retry-After" not in headers:
                self.odd.append(f"{status} {answer}")

    def wait_for(self, status: int, more: int) -> None:
        """Returns once so many more answers had this status."""
        wanted, deadline = self.statuses[status] + more, time.monotonic() + PATIENCE_SECONDS
        while self.statuses[status] < wanted:
            assert time.monotonic() < deadline, (self.statuses, self.odd[:3])
            time.sleep(0.05)


@contextmanager
def load(api: Api, clients: int = 4) -> Iterator[Load]:
    asking = Load(api)
    with client_threads([asking.ask] * clients, asking.ended):
        yield asking


def _post(api: Api, path: str, body: Any) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=PATIENCE_SECONDS)
    headers = {"Content-Type": "application/json", "X-API-Key": api.key}
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, response.headers, answer


def test_redis_ends_and_comes_back_under_load(
    project: Project, environment: int, tmp_path: Path
) -> None:
    with serving(tmp_path / "serve.log") as api:
        with embedded_redis(tmp_path, environment) as url:
            materialize(project.settings, url, END)
            api.wait_until_ready()
            (_, _, before) = _post(api, PREDICT, BODY)
            with load(api) as asking:
                asking.wait_for(200, 50)
        # Left: Redis is gone, and kept what it held.
        with load(api) as asking:
            asking.wait_for(503, 50)
            with embedded_redis(tmp_path, environment):
                asking.wait_for(200, 50)
    assert asking.odd == []
    assert asking.scores == {before["score"]}


def test_requests_that_were_begun_are_answered_when_the_server_is_ended(
    project: Project, environment: int, tmp_path: Path
) -> None:
    batch = json.dumps({"rows": [BODY] * 500})
    with (
        embedded_redis(tmp_path, environment) as url,
        serving(tmp_path / "serve.log") as api,
    ):
        materialize(project.settings, url, END)
        api.wait_until_ready()
        headers = {"Content-Type": "application/json", "X-API-Key": api.key}
        begun = [http.client.HTTPConnection("127.0.0.1", api.port, timeout=60) for _ in range(8)]
        for connection in begun:
            connection.request("POST", f"{PREDICT}/batch", batch, headers)
        # One loop accepts in order: when this one is answered, the others were accepted.
        assert _post(api, PREDICT, BODY)[0] == 200
        api.process.send_signal(signal.SIGTERM)
        for connection in begun:
            response = connection.getresponse()
            assert response.status == 200
            assert len(json.loads(response.read())["rows"]) == 500
            connection.close()
        assert api.process.wait(timeout=60) == 0


def test_a_worker_that_dies_is_replaced(project: Project, environment: int, tmp_path: Path) -> None:
    with (
        embedded_redis(tmp_path, environment) as url,
        serving(tmp_path / "serve.log") as api,
    ):
        materialize(project.settings, url, END)
        api.wait_until_ready()
        (worker,) = _workers(api)
        os.kill(worker.pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _workers(api) in ([], [worker]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        api.wait_until_ready()
        assert _post(api, PREDICT, BODY)[0] == 200


def test_a_server_whose_workers_cannot_start_ends_and_says_why(
    environment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody but a worker opens the lake.
    monkeypatch.setenv("LOCKSTEP_LAKE", "gs://elsewhere")
    monkeypatch.setenv("SERVING_LOG_SHARE", "1")
    log = tmp_path / "serve.log"
    with serving(log) as api:
        # uvicorn takes some ten seconds a death.
        assert api.process.wait(timeout=4 * PATIENCE_SECONDS) == 2
    told = log.read_text()
    assert told.count('"a worker cannot start"') == 3
    assert "'gs://elsewhere' is not the place of a lake" in told
    assert "Traceback" not in told
    last = told.splitlines()[-1]
    assert last.startswith("lockstep: workers ended before they served, 3 in a row; see above")


def _workers(api: Api) -> list[psutil.Process]:
    children = psutil.Process(api.process.pid).children()
    alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "spawn_main" in " ".join(child.cmdline())]


def test_whoever_of_the_workers_is_asked_answers_and_all_count_together(
    project: Project, environment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVING_WORKERS", "2")
    # Neither finds a model when it starts, and none looks again of itself.
    monkeypatch.setenv("SERVING_MODEL_LOOK_SECONDS", "3600")
    shutil.rmtree(project.settings.home_dir / "models", ignore_errors=True)
    log = tmp_path / "serve.log"
    with embedded_redis(tmp_path, environment) as url, serving(log) as api:
        materialize(project.settings, url, END)
        api.wait_until_ready()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while log.read_text().count('"a worker serves"') < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        before = _counted(api)
        for _ in range(30):
            assert _post(api, PREDICT, BODY)[0] == 200
        assert log.read_text().count('"model loaded"') == 2
        # A worker counts a few times a second.
        while (counted := _counted(api)) < before + 30:
            assert time.monotonic() < deadline, counted
            time.sleep(0.1)
        assert counted == before + 30


def _counted(api: Api) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
    connection.request("GET", "/metrics", headers={"X-API-Key": api.key})
    text = connection.getresponse().read().decode()
    connection.close()
    name = 'lockstep_decisions_total{alias="champion"'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))
