"""compose/make-secrets, compose/entrypoint and what reads them; and mistakes in each."""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from compose_secrets import make_secrets
from composed import FOLDER, ROOT, config
from local_topology import Topology, run_roles, start_front, start_redis, start_redis_exporter
from postgres_server import PostgresServer, postgres_server
from programs import program
from test_compose_topology import front_faults, redis_faults

from lockstep.contract.api_keys import read_keys

FRONT = (FOLDER / "front" / "nginx.conf").read_text()


@pytest.fixture(scope="module")
def secrets() -> Iterator[Path]:
    with TemporaryDirectory(prefix="lockstep-secrets-") as folder:
        made = make_secrets(Path(folder))
        assert made.returncode == 0, made.stderr
        yield Path(folder)


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def test_every_secret_of_the_file_is_made(secrets: Path) -> None:
    named = {Path(secret["file"]).name for secret in config("all")["secrets"].values()}
    named |= {Path(secret["file"]).name for secret in config("jobs")["secrets"].values()}
    made = {file.name for file in secrets.iterdir() if file.stat().st_size}
    assert named - made == set()
    assert secrets.stat().st_mode & 0o777 == 0o700


def test_secrets_are_random_and_stay(secrets: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in secrets.iterdir()}
    assert make_secrets(secrets).stdout == ""
    assert {file.name: file.read_bytes() for file in secrets.iterdir()} == before
    assert make_secrets(tmp_path / "other").returncode == 0
    passwords = [name for name in before if name.endswith(("_password", "_key", "_secret"))]
    assert len(passwords) > 20
    for name in passwords:
        assert len(before[name]) >= 44
        assert (tmp_path / "other" / name).read_bytes() != before[name]


def test_keys_of_the_api_may_do_what_they_are_for(secrets: Path, tmp_path: Path) -> None:
    private = tmp_path / "keys.json"
    shutil.copy(secrets / "api_keys.json", private)
    private.chmod(0o600)
    scopes = {key.name: sorted(scope.value for scope in key.scopes) for key in read_keys(private)}
    assert scopes == {"prometheus": ["read"], "smoke": ["predict", "read"]}


def test_prometheus_takes_what_is_made_for_it(secrets: Path) -> None:
    for name in ("prometheus_web.yml", "alertmanager_web.yml"):
        checked = subprocess.run(
            ["promtool", "check", "web-config", secrets / name], capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
        (user,) = yaml.safe_load((secrets / name).read_text())["basic_auth_users"].items()
        assert user[0] == "lockstep"
        assert re.fullmatch(r"\$2b\$10\$[./A-Za-z0-9]{53}", user[1])


def entered(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    places = {"SECRETS_DIR": str(folder), "PRIVATE_DIR": str(folder / "private")}
    return subprocess.run(
        ["/bin/sh", FOLDER / "entrypoint", "/usr/bin/env"],
        env={"PATH": "/usr/bin:/bin", **places, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_entrypoint_exports_what_files_hold(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://me:a$b'c\"d e@host")
    done = entered(tmp_path, SECRET_REDIS_URL="url", PRIVATE_SECRETS="url")
    assert "REDIS_URL=redis://me:a$b'c\"d e@host" in done.stdout.splitlines()
    assert "SECRET_REDIS_URL" not in done.stdout
    assert (tmp_path / "private" / "url").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("given", [{"SECRET_REDIS_URL": "url"}, {"PRIVATE_SECRETS": "url"}])
@pytest.mark.parametrize("empty", [True, False])
def test_the_entrypoint_names_a_secret_that_is_missing(
    tmp_path: Path, given: dict[str, str], empty: bool
) -> None:
    if empty:
        (tmp_path / "url").touch()
    done = entered(tmp_path, **given)
    assert done.returncode == 2
    assert "the secret url, for" in done.stderr
    assert "run compose/make-secrets" in done.stderr


def test_make_secrets_says_what_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [FOLDER / "make-secrets"],
        env={"PATH": "/usr/bin:/bin", "SECRETS_DIR": str(tmp_path), "LOCKSTEP": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "/nowhere is not there; run make setup" in done.stderr


def test_a_template_that_nothing_fills_is_named(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "c", ignore=shutil.ignore_patterns("secrets")))
    acl = folder / "redis" / "users.acl"
    acl.write_text(acl.read_text().replace("@redis_reader_digest@", "@redis_raeder_digest@"))
    done = subprocess.run(
        [folder / "make-secrets"],
        env={"PATH": "/usr/bin:/bin", "LOCKSTEP": str(program("lockstep"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "nothing fills @redis_raeder_digest@" in done.stderr


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[Topology]:
    """No service yet, but all secrets."""
    folder = tmp_path_factory.mktemp("alone")
    shutil.copytree(secrets, folder / "secrets")
    topology = Topology(folder, config("all")["services"])
    for file in topology.secrets.iterdir():
        file.write_text(topology.here(file.read_text()))
    yield topology
    topology.stop()


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("user default off resetchannels -@all", "user default on nopass ~* +@all", "nobody reads"),
        ("+select +cluster|slots\nuser writer", "+select +set ~*\nuser writer", "reader writes"),
        ("+eval +scan", "+eval +scan +flushall", "writer flushes"),
    ],
)
def test_a_mistake_in_the_rights_of_redis_is_found(
    alone: Topology, right: str, wrong: str, fault: str
) -> None:
    file = alone.secrets / "redis_users.acl"
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong, 1))
    start_redis(alone)
    assert redis_faults(alone) == [fault]


@pytest.mark.parametrize(("password", "up"), [(None, "1"), ("another", "0")])
def test_the_exporter_of_redis_gets_in_with_its_password(
    alone: Topology, password: str | None, up: str
) -> None:
    file = alone.secrets / "redis_exporter.json"
    if password:
        right = alone.secret("redis_monitor_password")
        file.write_text(file.read_text().replace(right, password))
    start_redis(alone)
    start_redis_exporter(alone)
    with urllib.request.urlopen(alone.url("redis-exporter", "/metrics")) as answer:
        assert f"redis_up {up}\n" in answer.read().decode()


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ('auth_basic "Lockstep";', "auth_basic off;", "nobody: 502, not 401"),
        ("deny all;", "allow all;", "a write: 502, not 403"),
    ],
)
def test_a_mistake_in_the_front_is_found(
    alone: Topology, right: str, wrong: str, fault: str
) -> None:
    assert right in FRONT
    start_front(alone, FRONT.replace(right, wrong))
    alone.wait_for("front", "/healthy")
    assert fault in front_faults(alone)


def test_nginx_refuses_a_file_that_it_cannot_read(alone: Topology) -> None:
    start_front(alone, FRONT.replace("server_tokens off;", "server_token off;"))
    assert alone.processes["front"].wait(timeout=30) == 1
    assert 'unknown directive "server_token"' in (alone.folder / "front.log").read_text()


def test_a_missing_password_of_postgres_is_named(postgres: PostgresServer, alone: Topology) -> None:
    (alone.secrets / "postgres_feast_reader_password").unlink()
    with pytest.raises(AssertionError, match="postgres_feast_reader_password is missing"):
        run_roles(postgres, FOLDER / "postgres" / "roles.sql", alone.secrets)


def test_an_error_of_the_roles_tells_no_password(postgres: PostgresServer, alone: Topology) -> None:
    roles = FOLDER / "postgres" / "roles.sql"
    run_roles(postgres, roles, alone.secrets)
    with pytest.raises(AssertionError, match='role "mlflow" already exists') as refused:
        run_roles(postgres, roles, alone.secrets)
    password = (alone.secrets / "postgres_mlflow_password").read_text()
    assert password not in str(refused.value)
    assert password not in (postgres.folder / "log").read_text()


def test_a_mistake_in_the_roles_is_named(
    postgres: PostgresServer, alone: Topology, tmp_path: Path
) -> None:
    text = (FOLDER / "postgres" / "roles.sql").read_text()
    wrong = tmp_path / "roles.sql"
    wrong.write_text(text.replace("CREATE DATABASE mlflow OWNER mlflow", "CREATE DATABSE mlflow"))
    with pytest.raises(AssertionError, match='syntax error at or near "DATABSE"'):
        run_roles(postgres, wrong, alone.secrets)


def test_no_secret_is_in_the_repository() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "compose/secrets/redis_reader_password", "compose/.env"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout.split() == ["compose/secrets/redis_reader_password", "compose/.env"]


def let_in(rules: list[str], path: str) -> bool:
    """Whether `.dockerignore` lets a file into a build: the last rule that matches decides."""
    taken = True
    for rule in rules:
        pattern = re.escape(rule.removeprefix("!").rstrip("/"))
        pattern = pattern.replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        pattern = re.sub(r"\\\[(\w+)\\\]", r"[\1]", pattern)
        if re.fullmatch(f"{pattern}(/.*)?", path):
            taken = rule.startswith("!")
    return taken


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("lockstep/stores/_vectors.c", True),
        ("feature_repo/feature_store.cluster.yaml", True),
        ("compose/entrypoint", True),
        ("airflow/dags/features_hourly.py", True),
        ("compose/secrets/redis_reader_password", False),
        ("compose/.env", False),
        (".git/config", False),
        (".venv/bin/python", False),
        (".airflow-venv/bin/python", False),
        (".lockstep/api_keys.json", False),
        ("feature_repo/.lockstep/lake/x.parquet", False),
        ("lockstep/stores/_vectors.cpython-311-x86_64-linux-gnu.so", False),
        ("lockstep/__pycache__/settings.cpython-311.pyc", False),
        ("tests/conftest.py", False),
        ("benchmarks/run.py", False),
    ],
)
def test_what_gets_into_an_image(path: str, expected: bool) -> None:
    text = (ROOT / ".dockerignore").read_text()
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert let_in(rules, path) is expected


def test_a_rule_that_lets_secrets_in_is_seen() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert let_in([*rules, "!compose/secrets"], "compose/secrets/redis_reader_password")
