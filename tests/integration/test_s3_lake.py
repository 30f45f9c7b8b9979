"""From raw files to features with the lake on S3: every value is that of a local lake."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from feast_project import make_project
from fraud_project import DAYS, START, Project, materialize, train_small
from programs import program
from redis import Redis
from s3_servers import S3Server, only_environment

from feature_repo.store import open_feature_store
from lockstep.lake.lake import Lake
from lockstep.settings import Settings

END = START + timedelta(days=DAYS)


def command(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command as it is typed in `folder`."""
    return subprocess.run(
        [program(name), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def on_s3(
    project: Project, moto: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The same raw files, ingested and built on S3; definitions are applied."""
    with pytest.MonkeyPatch.context() as environment:
        only_environment(environment, moto.environment)
        environment.setenv("LOCKSTEP_LAKE", f"{moto.create_bucket('end-to-end')}/some/lake")
        settings = make_project(tmp_path_factory.mktemp("on_s3"))
        assert settings.lake == "s3://end-to-end/some/lake"
        raw = project.settings.project_dir / "raw.parquet"
        for words in (
            ("lake", "check"),
            ("ingest", "fraud", "--from", str(raw)),
            ("build", "fraud"),
        ):
            done = command("lockstep", *words, folder=settings.project_dir)
            assert done.returncode == 0, done.stderr
        done = command("feast", "apply", folder=settings.feature_repo_dir)
        assert done.returncode == 0, done.stderr
        yield settings


def local_lake(project: Project) -> Lake:
    return Lake.at(project.settings.home_dir / "lake")


def test_partitions_are_the_same_bytes(project: Project, on_s3: Settings) -> None:
    local, remote = local_lake(project), Lake.at(on_s3.lake)
    parts = [key for key in local.list("fraud/") if "/day=" in key]
    assert len(parts) > 4 * DAYS
    assert parts == [key for key in remote.list("fraud/") if "/day=" in key]
    assert [key for key in parts if local.read_bytes(key) != remote.read_bytes(key)] == []
    assert not (on_s3.home_dir / "lake").exists()


def test_historical_features_are_the_same_values(project: Project, on_s3: Settings) -> None:
    from training.fraud import labelled_transactions

    entities = labelled_transactions(local_lake(project), END).sample(2000, seed=1)
    joined = []
    for lake in (local_lake(project).uri, on_s3.lake):
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("LOCKSTEP_LAKE", lake)
            store = open_feature_store(on_s3)
            service = store.get_feature_service("fraud_v1")
            joined.append(store.get_historical_features(entities, service).to_arrow())
    assert joined[0].equals(joined[1])
    assert 0 < joined[0].column("customer_amount_cents_mean_30d").null_count < 2000


def test_feast_materialize_writes_the_same_bytes_to_redis(
    project: Project, on_s3: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("LOCKSTEP_LAKE")
        materialize(project.settings, redis_url, END)
    with Redis.from_url(redis_url) as redis:
        expected = held(redis)
        redis.flushall()
        monkeypatch.setenv("REDIS_URL", redis_url)
        range_ = ((START - timedelta(days=1)).isoformat(), END.isoformat())
        done = command("feast", "materialize", *range_, folder=on_s3.feature_repo_dir)
        assert done.returncode == 0, done.stderr
        assert held(redis) == expected
    assert len(expected) > 100


def held(redis: Redis) -> dict[bytes, object]:
    """Everything in it, whatever it is, but for the mark that names the run."""
    keys = [key for key in redis.scan_iter() if not key.startswith(b"lockstep:materialized:")]
    hashes = [key for key in keys if redis.type(key) == b"hash"]
    return {key: redis.hgetall(key) if key in hashes else redis.dump(key) for key in keys}


def test_training_gives_the_same_model(project: Project, on_s3: Settings) -> None:
    trained = train_small(on_s3)
    assert trained.metrics == project.training.metrics
    assert trained.threshold == project.training.threshold


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("feast", ("materialize", "2018-04-01", "2018-05-01"), "Error: s3://"),
        ("lockstep", ("build", "fraud"), "lockstep: s3://"),
        ("lockstep", ("lake", "check"), "lockstep: s3://"),
    ],
)
def test_a_server_that_is_gone_is_one_line_and_exit_code_2(
    on_s3: Settings,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    done = command(name, *words, folder=on_s3.feature_repo_dir)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(
        rf"^{message}.*cannot \w+, the server does not answer .*AWS_ENDPOINT_URL$",
        done.stderr,
        re.MULTILINE,
    )
