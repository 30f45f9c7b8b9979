"""The services of compose.yaml, run for real, and compose/smoke against them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from composed import FOLDER
from local_topology import Topology, local_topology
from redis import Redis
from redis.exceptions import RedisError

# Nine processes start, five of which import Feast or MLflow.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with (
        TemporaryDirectory(prefix="lockstep-compose-") as folder,
        local_topology(Path(folder)) as found,
    ):
        yield found


def run_smoke(topology: Topology, **changed: str) -> subprocess.CompletedProcess[str]:
    """The script, with the jobs as processes of this machine."""
    health = {"api": "/live", "mlflow": "/health", "front": "/healthy"}
    jobs = topology.environment("jobs") | {
        "SMOKE_JOBS": f"/bin/sh {FOLDER / 'entrypoint'}",
        "SMOKE_API": topology.url("api"),
        "SMOKE_SCRIPT": str(FOLDER / "smoke_requests.py"),
        "SMOKE_RAW": str(topology.folder / "homes" / "jobs" / "raw.parquet"),
        "SMOKE_SIZE": "--customers 120 --terminals 200 --days 45",
        "SMOKE_HEALTH": " ".join(f"{k}={topology.url(k, path)}" for k, path in health.items()),
    }
    return subprocess.run(
        [FOLDER / "smoke"],
        env=jobs | changed,
        cwd=topology.folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def smoked(topology: Topology) -> subprocess.CompletedProcess[str]:
    return run_smoke(topology)


def test_smoke_goes_the_whole_way(smoked: subprocess.CompletedProcess[str]) -> None:
    assert smoked.returncode == 0, smoked.stdout[-3000:] + smoked.stderr[-3000:]
    # As many events as there are after the cut.
    assert re.search(r"^\d{2,} predictions, .*mismatches: 0$", smoked.stdout, re.MULTILINE)
    assert smoked.stdout.endswith("smoke: passed\n")


def test_smoke_names_the_service_that_is_down(topology: Topology) -> None:
    failed = run_smoke(topology, SMOKE_HEALTH="nobody=http://127.0.0.1:9/", SMOKE_JOBS="false")
    assert failed.returncode == 1
    assert "smoke: nobody is healthy" in failed.stdout
    assert "FAILED" in failed.stderr


def test_smoke_stops_at_a_step_that_fails(topology: Topology) -> None:
    failed = run_smoke(topology, SMOKE_JOBS="false")
    assert failed.returncode == 1
    assert "FAILED: job lockstep lake check" in failed.stderr


def redis_as(topology: Topology, user: str, password: str) -> Redis:
    return Redis(port=topology.ports["redis"], username=user, password=password)


def redis_faults(topology: Topology) -> list[str]:
    """What Redis lets somebody do that should not."""
    reader = topology.secret("redis_reader_password")
    writer = topology.secret("redis_writer_password")
    tried = {
        "nobody reads": lambda: Redis(port=topology.ports["redis"]).get("x"),
        "reader writes": lambda: redis_as(topology, "reader", reader).set("x:lockstep", 1),
        "writer flushes": lambda: redis_as(topology, "writer", writer).flushall(),
        "reader with another password": lambda: redis_as(topology, "reader", "no").ping(),
        "monitor reads": lambda: redis_as(
            topology, "monitor", topology.secret("redis_monitor_password")
        ).get("x:lockstep"),
    }
    found = []
    for what, attempt in tried.items():
        try:
            attempt()
        except RedisError:
            continue
        found.append(what)
    return found


def test_redis_lets_everybody_do_what_is_theirs_alone(topology: Topology) -> None:
    assert redis_faults(topology) == []
    monitor = redis_as(topology, "monitor", topology.secret("redis_monitor_password"))
    assert monitor.ping() and "redis_version" in monitor.info()


def postgres_as(topology: Topology, role: str, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=topology.ports["postgres"],
        user=role,
        password=topology.secret(f"postgres_{role}_password"),
        dbname=database,
    )


@pytest.mark.parametrize(
    ("role", "database"), [("mlflow", "feast"), ("airflow", "mlflow"), ("feast_reader", "mlflow")]
)
def test_a_role_of_postgres_has_its_own_database_alone(
    topology: Topology, role: str, database: str
) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        postgres_as(topology, role, database)


@pytest.mark.usefixtures("smoked")
def test_the_reader_of_the_registry_of_features_cannot_write_it(topology: Topology) -> None:
    with postgres_as(topology, "feast_reader", "feast") as connection:
        rows = connection.execute("SELECT count(*) FROM feature_views").fetchone()
        assert rows and rows[0] > 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM feature_views")


def mlflow_answers(topology: Topology, user: str, what: str, **body: str) -> int:
    """The status of a POST to MLflow's registry as `user`."""
    password = topology.secret(f"mlflow_{user}_password")
    request = urllib.request.Request(
        topology.url("mlflow", f"/api/2.0/mlflow/{what}"),
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **basic(user, password)},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def basic(user: str, password: str) -> dict[str, str]:
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {word}"}


def test_the_api_s_account_of_mlflow_cannot_write(topology: Topology) -> None:
    search = topology.url("mlflow", "/api/2.0/mlflow/registered-models/search")
    assert topology.status(search) == 401
    assert topology.status(search, basic("reader", "another")) == 401
    assert (
        topology.status(search, basic("reader", topology.secret("mlflow_reader_password"))) == 200
    )
    for what in ("experiments/create", "registered-models/create"):
        assert mlflow_answers(topology, "reader", what, name="theirs") == 403
    alias = {"name": "fraud", "alias": "champion", "version": "1"}
    assert mlflow_answers(topology, "reader", "registered-models/alias", **alias) == 403
    assert mlflow_answers(topology, "writer", "registered-models/create", name="ours") == 200


def front_faults(topology: Topology) -> list[str]:
    """What the server in front of the Feast UI lets through, and what it does not."""
    known = basic("lockstep", topology.secret("feast_ui_password"))
    expected = {
        "nobody": (topology.status(topology.url("front", "/")), 401),
        "a wrong password": (
            topology.status(topology.url("front", "/"), basic("lockstep", "another")),
            401,
        ),
        "the password": (topology.status(topology.url("front", "/"), known), 200),
        "a write": (topology.status(topology.url("front", "/"), known, "POST"), 403),
    }
    return [f"{who}: {got}, not {due}" for who, (got, due) in expected.items() if got != due]


@pytest.mark.usefixtures("smoked")
def test_the_feast_ui_is_behind_a_password(topology: Topology) -> None:
    """It reads the registry with a role that cannot write."""
    topology.start("feast-ui")
    topology.wait_for("feast-ui", "/")
    assert front_faults(topology) == []


def test_the_api_answers_nobody_without_a_key(topology: Topology) -> None:
    url = topology.url("api", "/metrics")
    assert topology.status(url) == 401
    key = {"Authorization": f"Bearer {topology.secret('metrics_api_key')}"}
    assert topology.status(url, key) == 200


@pytest.mark.usefixtures("smoked")
def test_the_exporter_shows_what_was_left_behind(topology: Topology) -> None:
    """With the reader's rights alone."""
    topology.start("exporter")
    topology.wait_for("exporter", "/metrics")
    with urllib.request.urlopen(topology.url("exporter", "/metrics"), timeout=10) as response:
        shown = response.read().decode()
    for part in ("online_store", "lake", "registry"):
        assert f'lockstep_up{{part="{part}"}} 1.0' in shown


def test_keys_of_the_api_are_private_copies(topology: Topology) -> None:
    copied = topology.folder / "homes" / "api" / "secrets" / "api_keys.json"
    assert copied.stat().st_mode & 0o777 == 0o600
    assert topology.secrets.stat().st_mode & 0o777 == 0o700
