"""A run that is not done in time raises an alert at a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_process import SCHEDULES, Airflow
from free_port import free_port

# A day of its own: the tests share one metadata database, which has one run an hour.
LATE = {"dag_id": "features_hourly", "queued_at": "2026-10-01T10:00:00+00:00"}


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """The address of an Alertmanager that keeps its alerts to itself."""
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    url = f"http://127.0.0.1:{free_port()}"
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus-alertmanager",
                f"--config.file={config}",
                f"--storage.path={tmp_path}",
                f"--web.listen-address={url.removeprefix('http://')}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/-/ready"):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("Alertmanager has ended")


def test_a_late_run_is_logged_and_posted(airflow: Airflow, alertmanager: str) -> None:
    env = SCHEDULES | {"LOCKSTEP_ALERTS_URL": alertmanager}
    assert airflow.ask("miss_deadline", env=env, **LATE) == ["0:45:00", True, None]
    late = "features_hourly of 2026-10-01T09:00:00Z is not done in time"
    assert late in airflow.log
    with urllib.request.urlopen(f"{alertmanager}/api/v2/alerts") as answer:
        (alert,) = json.load(answer)
    assert alert["labels"]["alertname"] == "ScheduleLate"
    assert alert["labels"]["severity"] == "ticket"
    assert alert["labels"]["dag"] == "features_hourly"
    assert alert["annotations"]["summary"] == late


def test_an_alert_that_cannot_be_posted_is_a_failed_callback(airflow: Airflow) -> None:
    env = SCHEDULES | {"LOCKSTEP_ALERTS_URL": "http://127.0.0.1:1"}
    late = LATE | {"queued_at": "2026-10-01T11:00:00+00:00"}
    _, succeeded, error = airflow.ask("miss_deadline", env=env, **late)
    assert not succeeded
    assert "ConnectError" in error
