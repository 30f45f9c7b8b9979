"""The cluster's profile on a real PostgreSQL: who writes the registry, and who may only read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from feast import Entity, FeatureStore, ValueType
from feast_project import make_project, write_steps
from postgres_server import PostgresServer, postgres_server
from programs import program
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import ProgrammingError

from feature_repo.store import CONFIGURATION_FILE, open_feature_store
from lockstep.settings import Settings

READER = "feast_reader"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def cluster(
    tmp_path: Path, postgres: PostgresServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A project whose registry is a database of its own."""
    settings = make_project(tmp_path)
    write_steps(settings)
    profile = settings.feature_repo_dir / "feature_store.cluster.yaml"
    monkeypatch.setenv(CONFIGURATION_FILE, str(profile))
    monkeypatch.setenv("FEAST_REGISTRY_URL", postgres.create_database(f"feast_{uuid4().hex}"))
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(settings.project_dir))
    monkeypatch.setenv("REDIS_URL", redis_url)
    return settings


def run(*arguments: str) -> None:
    """Runs a command in a process of its own, as a Job does."""
    command = [str(program("lockstep")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def opened(settings: Settings) -> Iterator[FeatureStore]:
    """The store; Feast itself never ends its connections to the database."""
    store = open_feature_store(settings)
    try:
        yield store
    finally:
        store.registry.read_engine.dispose()
        store.registry.write_engine.dispose()


def reader_of(url: str) -> str:
    """The address of a role that may read the database, and nothing else."""
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(f"CREATE ROLE {READER} LOGIN PASSWORD 'of-tests'"))
        connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}"))
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{READER}:of-tests@{rest.rpartition('@')[2]}"


def test_definitions_are_applied_materialised_and_found_in_postgresql(cluster: Settings) -> None:
    run("apply")
    run("materialize", "fraud", "--start", "2018-04-01", "--end", "2018-04-04")
    run("freshness", "fraud", "--at", "2018-04-04")
    with opened(cluster) as store:
        assert store.config.registry.registry_type == "sql"
        view = store.get_feature_view("customer_windows")
    assert view.materialization_intervals
    assert not (cluster.home_dir / "registry.db").exists()


def test_a_reader_sees_everything_and_changes_nothing(
    cluster: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply")
    monkeypatch.setenv("FEAST_REGISTRY_URL", reader_of(os.environ["FEAST_REGISTRY_URL"]))
    with opened(cluster) as store:
        services = {service.name for service in store.list_feature_services()}
        assert services >= {"fraud_v1", "clicks_v1"}
        with pytest.raises(ProgrammingError, match="permission denied"):
            store.apply([Entity(name="intruder", join_keys=["id"], value_type=ValueType.INT64)])
