"""The ingest on Spark as it is typed: source and lake on a real S3 server, and the real files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import typer
from fact_files import partitions
from programs import program
from raw_transactions import good_rows, spoiled, write_csv, write_parquet
from s3_servers import S3Server, only_environment
from spark_script import run
from typer.testing import CliRunner

from lockstep.cli import ingest as command
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

ROWS = good_rows(60)


def typed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """What the command says, with lines as wide as they need to be."""
    return run(program("lockstep"), *words, COLUMNS="200")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own."""
    monkeypatch.setenv("LOCKSTEP_HOME", str(tmp_path))
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(tmp_path))
    return tmp_path


def local_lake(home: Path, source: Path) -> Lake:
    """A lake that the local engine made of the same rows."""
    lake = Lake.at(home / "local")
    ingest(ingest_spec(), source, lake=lake)
    return lake


def test_a_folder_on_s3_becomes_the_bytes_of_a_local_ingest(
    home: Path, moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_environment(monkeypatch, moto.environment)
    bucket = moto.create_bucket("ingest-on-spark")
    monkeypatch.setenv("LOCKSTEP_LAKE", f"{bucket}/lake")
    files = home / "files"
    files.mkdir()
    write_csv(files / "1.csv", spoiled(ROWS[:40], 7, TX_AMOUNT="-3"))
    write_parquet(files / "2.parquet", ROWS[40:])
    for file in files.iterdir():
        Lake.at(f"{bucket}/in").write_bytes(file.name, file.read_bytes())
    done = typed("ingest", "fraud", "--from", f"{bucket}/in", "--engine", "spark")
    assert done.returncode == 0, done.stderr
    assert "tx_amount:too_small" in done.stdout
    expected = local_lake(home, files)
    remote = Lake.at(f"{bucket}/lake")
    assert partitions(remote) == partitions(expected)
    (rejected,) = expected.list("fraud/transactions_rejected/source")
    assert remote.read_bytes(rejected) == expected.read_bytes(rejected)


def test_a_refused_folder_is_told_in_one_line(home: Path, spark: object) -> None:
    files = home / "files"
    files.mkdir()
    write_csv(files / "1.csv", ROWS)
    (files / "2.csv").write_text("1,2,3\n")
    app = typer.Typer()
    app.command()(command.ingest)
    words = ("fraud", "--from", str(files), "--engine", "spark")
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, IngestError)
    assert "2.csv has 1 lines with another number of fields than 9" in str(error)
    assert "\n" not in str(error)
    assert Lake.at(home / "lake").list("fraud/transactions") == []


@pytest.mark.realdata
def test_the_handbooks_file_becomes_the_bytes_of_a_local_ingest(home: Path, handbook: Path) -> None:
    done = typed("ingest", "fraud", "--from", handbook, "--engine", "spark")
    assert done.returncode == 0, done.stderr
    found = partitions(Lake.at(home / "lake"))
    assert len(found) == 2 * 183
    assert found == partitions(local_lake(home, handbook))
