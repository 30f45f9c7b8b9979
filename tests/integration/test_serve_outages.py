"""What is missing is said, nothing hangs, and all is well again once it is there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fraud_project import Project, materialize, train_small
from free_port import free_port
from redis import Redis
from serving_client import END, GOOD, PATIENCE_SECONDS, PREDICT, api, problem, wait_until_ready
from starlette.testclient import TestClient

from lockstep.cli.demo_parts.api import serving
from lockstep.contract.model_artefact import CHAMPION
from lockstep.contract.model_registry import model_registry
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis, server_url
from serving.use_cases import USE_CASES


def test_redis_goes_and_comes_back(project: Project, tmp_path: Path) -> None:
    port = free_port()
    with api(project.settings, server_url(port), END) as client:
        with embedded_redis(tmp_path, port) as url:
            materialize(project.settings, url, END)
            wait_until_ready(client)
            before = client.post(PREDICT, json=GOOD).json()
        down = client.post(PREDICT, json=GOOD)
        document = problem(down, 503)
        assert document["type"] == "urn:lockstep:problem:no-redis"
        assert "set REDIS_URL to a Redis that is up" in document["detail"]
        assert int(down.headers["retry-after"]) > 0
        assert "redis: Redis at" in problem(client.get("/ready"), 503)["detail"]
        assert client.get("/live").status_code == 200
        with embedded_redis(tmp_path, port):
            wait_until_ready(client)
            after = client.post(PREDICT, json=GOOD).json()
    assert (before["score"], before["features"]) == (after["score"], after["features"])


def test_without_a_model_it_says_so_and_finds_it_once_there_is_one(untrained: Settings) -> None:
    with embedded_redis() as url, api(untrained, url, END) as client:
        refused = client.post(PREDICT, json=GOOD)
        assert problem(refused, 503)["type"] == "urn:lockstep:problem:no-model"
        assert int(refused.headers["retry-after"]) > 0
        detail = _ready_detail_with(client, "lockstep train fraud")
        assert "no model 'fraud' with alias 'champion'" in detail
        assert not (untrained.home_dir / "mlflow.db").exists()
        train_small(untrained)
        materialize(untrained, url, END)
        wait_until_ready(client)
        assert client.post(PREDICT, json=GOOD).status_code == 200


def test_an_empty_redis_is_not_taken_for_unknown_customers(project: Project) -> None:
    with embedded_redis() as url, api(project.settings, url, END) as client:
        _ready_detail_with(client, "the online store holds nothing of ['customer_windows', 'term")
        document = problem(client.post(PREDICT, json=GOOD), 503)
        assert document["type"] == "urn:lockstep:problem:not-materialized"
        assert "run `feast materialize START END`" in document["detail"]
        materialize(project.settings, url, END)
        wait_until_ready(client)
        with Redis.from_url(url) as redis:
            redis.flushall()
        deadline = time.monotonic() + 10  # horizons are read once a second
        while client.get("/ready").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        _ready_detail_with(client, "the online store holds nothing of")


def test_redis_and_the_model_missing_are_both_said(untrained: Settings) -> None:
    with api(untrained, f"redis://127.0.0.1:{free_port()}/0", END) as client:
        detail = _ready_detail_with(client, "champion")
        assert "redis: Redis at redis://127.0.0.1" in detail


def test_a_model_of_another_service_is_refused(untrained: Settings) -> None:
    train_small(untrained)
    _edit_model(untrained, "feature_service: fraud_v1", "feature_service: fraud_v0")
    with embedded_redis() as url, api(untrained, url, END) as client:
        detail = _ready_detail_with(client, "fraud_v0")
        assert "this server does not have; it has ['fraud_v1', 'fraud_v2']" in detail
        assert client.post(PREDICT, json=GOOD).status_code == 503


def test_a_model_of_another_use_case_is_refused(untrained: Settings) -> None:
    train_small(untrained)
    _edit_model(untrained, "use_case: fraud", "use_case: os")
    with embedded_redis() as url, api(untrained, url, END) as client:
        _ready_detail_with(client, "the model 'fraud' says that it is one of use case 'os'")


def test_a_model_that_reads_features_of_its_own_is_refused(untrained: Settings) -> None:
    train_small(untrained)
    _edit_model(untrained, "- tx_count_1d", "- tx_count_1h")
    with embedded_redis() as url, api(untrained, url, END) as client:
        _ready_detail_with(client, "they differ in ['tx_count_1d', 'tx_count_1h']")


def test_a_truncated_model_is_refused(untrained: Settings) -> None:
    train_small(untrained)
    (model,) = untrained.home_dir.glob("mlartifacts/models/*/artifacts/model.cb")
    model.write_bytes(model.read_bytes()[:-100])
    with embedded_redis() as url, api(untrained, url, END) as client:
        assert "'model.cbm' cannot be loaded" in _ready_detail_with(client, "model.cbm")


def test_a_model_without_the_alias_is_no_champion(untrained: Settings) -> None:
    train_small(untrained)
    with model_registry(untrained.tracking_uri) as registry:
        registry.delete_registered_model_alias("fraud", CHAMPION)
    with embedded_redis() as url, api(untrained, url, END) as client:
        _ready_detail_with(client, "no model 'fraud' with alias 'champion'")


def test_a_registry_that_is_down_is_named_without_its_password(
    untrained: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://lock:secret@127.0.0.1:{free_port()}"
    settings = untrained.model_copy(update={"mlflow_uri": uri})
    with embedded_redis() as url, api(settings, url, END) as client:
        detail = _ready_detail_with(client, "***@127.0.0.1")
        assert "secret" not in detail


def test_the_command_logs_one_line_for_each_missing_thing(
    untrained: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(untrained.project_dir))
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setenv("SERVING_MODEL_RETRY_SECONDS", "0.05")
    log = tmp_path / "serve.log"
    with serving(log) as running:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            text = log.read_text()
            if text.count("no model") >= len(USE_CASES) and "no redis" in text:
                break
            time.sleep(0.1)
        running.wait_until_live()
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    # That comes when the parent looks; and both it and the worker read the keys.
    told = [event for event in events if event != "a worker serves"]
    no_models = ["no model"] * len(USE_CASES)
    assert sorted(told) == ["API keys read"] * 2 + ["listening", *no_models, "no redis"]


def test_a_taken_port_is_a_clear_error(project: Project) -> None:
    environment = os.environ | {"LOCKSTEP_PROJECT_DIR": str(project.settings.project_dir)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "lockstep.cli", "serve", "--port", str(port)]
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in ended.stderr
    assert "choose another --host or --port" in ended.stderr


def _ready_detail_with(client: TestClient, wanted: str) -> str:
    """The detail of /ready once it holds `wanted`; loading comes first."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        detail: str = problem(client.get("/ready"), 503)["detail"]
        if wanted in detail:
            return detail
        assert time.monotonic() < deadline, detail
        time.sleep(0.05)


def _edit_model(settings: Settings, old: str, new: str) -> None:
    (description,) = settings.home_dir.glob("mlartifacts/models/*/artifacts/MLmodel")
    text = description.read_text()
    assert old in text
    description.write_text(text.replace(old, new))
