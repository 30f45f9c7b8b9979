"""A trained project that is really served, asked, exported and scraped."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest
from client_threads import client_threads
from feast_project import apply_definitions, make_project
from fraud_project import fill_lake, materialize, train_small
from free_port import free_port
from monitoring_servers import (
    Secrets,
    Server,
    alertmanager,
    pages,
    prometheus,
    redis_exporter,
    wait_until,
)
from programs import program
from serving_client import END, GOOD, PREDICT

from lockstep.cli.demo_parts.api import Api, serving
from lockstep.lake.lake import Lake
from lockstep.stores.embedded_redis import embedded_redis

_BODY = GOOD | {"event_timestamp": END.isoformat()}
_UNKNOWN = _BODY | {"customer_id": 987_654_321}
# Scored, scored as unknown, refused by the schema, refused by the policy, a batch, no such path.
REQUESTS = (
    (PREDICT, _BODY),
    (PREDICT, _UNKNOWN),
    (PREDICT, {"customer_id": "nobody"}),
    (PREDICT, _BODY | {"event_timestamp": "2018-01-01T00:00:00Z"}),
    (f"{PREDICT}/batch", {"rows": [_BODY] * 3}),
    ("/v1/nothing/predict", _BODY),
)
# What a cluster has: kube-state-metrics and the kubelet, by what was recorded.
_CLUSTER = ("kube_state_metrics", "cadvisor")


@dataclass(frozen=True)
class Watched:
    """The servers of one platform, and what its API and its exporter show."""

    prometheus: Server
    alertmanager: Server
    api: Api
    exporter_port: int

    def exposition(self) -> str:
        """What the API and the exporter show now."""
        return _get(self.api.port, self.api.key) + _get(self.exporter_port, "")


@contextmanager
def watched_platform(folder: Path) -> Iterator[Watched]:
    """All of it, under load, until the block ends."""
    settings = make_project(folder / "project")
    fill_lake(settings)
    apply_definitions(settings)
    train_small(settings)
    with ExitStack() as stack:
        redis_url = stack.enter_context(embedded_redis())
        materialize(settings, redis_url, END)
        # For the processes alone: other tests run in this one as long as the platform stands.
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("LOCKSTEP_PROJECT_DIR", str(settings.project_dir))
            environment.setenv("LOCKSTEP_COLLECT_SECONDS", "1")
            environment.setenv("REDIS_URL", redis_url)
            exporter = stack.enter_context(_exporter(folder / "exporter.log"))
            api = stack.enter_context(serving(folder / "serve.log"))
            own = dict(os.environ)
        api.wait_until_ready()
        held = Secrets.made(folder / "secrets")
        held.add("metrics_api_key", api.key)
        recorded, _ = stack.enter_context(pages())
        held.add("alert_pages_url", f"http://{recorded}/pages")
        held.add("alert_tickets_url", f"http://{recorded}/tickets")
        told = stack.enter_context(alertmanager(folder, held))
        targets = {
            "api:8000": f"127.0.0.1:{api.port}",
            "exporter:9108": f"127.0.0.1:{exporter}",
            "redis-exporter:9121": stack.enter_context(redis_exporter(folder, redis_url)),
            "alertmanager:9093": told.url.removeprefix("http://"),
        }
        jobs = [_cluster_job(name, recorded) for name in _CLUSTER]
        server = stack.enter_context(prometheus(folder, held, targets, *jobs))
        ended = threading.Event()
        stack.enter_context(client_threads([lambda: _ask(api, ended)], ended))
        _audit(Lake.at(settings.lake), own)
        yield Watched(server, told, api, exporter)


def _cluster_job(name: str, recorded: str) -> dict[str, object]:
    return {
        "job_name": name,
        "metrics_path": f"/{name}",
        "honor_labels": True,
        "static_configs": [{"targets": [recorded]}],
    }


@contextmanager
def _exporter(log: Path) -> Iterator[int]:
    """`lockstep exporter` on a free port."""
    port = free_port()
    command = [str(program("lockstep")), "exporter", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: re.search("metrics at", log.read_text()) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _audit(lake: Lake, environment: dict[str, str]) -> None:
    """Audits what was logged so far, looks for drift in it, and watches it for a look."""
    wait_until(lambda: lake.list("fraud/predictions/"))
    command = [str(program("lockstep")), "audit", "fraud"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    # Some of it may not be in the log yet.
    assert done.returncode in (0, 3), done.stdout + done.stderr
    drift = [str(program("lockstep")), "drift", "fraud"]
    done = subprocess.run(drift, env=environment, capture_output=True, text=True)
    assert done.returncode in (1, 3), done.stdout + done.stderr
    with subprocess.Popen([*command, "--watch"], env=environment) as watch:
        wait_until(lambda: lake.list("_parity/live/"))
        watch.terminate()


def _ask(api: Api, ended: threading.Event) -> None:
    headers = {"Content-Type": "application/json", "X-API-Key": api.key}
    for path, body in cycle(REQUESTS):
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
        connection.request("POST", path, json.dumps(body), headers)
        connection.getresponse().read()
        connection.close()
        if ended.wait(0.02):
            return


def _get(port: int, key: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics", headers={"X-API-Key": key})
    text = connection.getresponse().read().decode()
    connection.close()
    return text
