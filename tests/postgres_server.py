"""A real PostgreSQL on 127.0.0.1, of this run only, with a password."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pytest
from free_port import free_port

USER, PASSWORD = "lockstep", "a-password/of@tests"
_PATIENCE_SECONDS = 30.0


@dataclass
class PostgresServer:
    """A server over its folder; it can be stopped and started again."""

    programs: Path
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def uri(self, database: str) -> str:
        """As MLflow takes it."""
        secret = quote(PASSWORD, safe="")
        return f"postgresql+psycopg://{USER}:{secret}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """The URI of a new database."""
        self._run("createdb", *self._where, name)
        return self.uri(name)

    def text(self, database: str) -> str:
        """All that a database holds."""
        return self._run("pg_dump", *self._where, "--data-only", database)

    def init(self) -> None:
        """Makes the data, for one user with a password."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        _give_away(secret)
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "--encoding=UTF8"]
        data = f"--pgdata={self.folder / 'data'}"
        self._run("initdb", data, f"--username={USER}", *options, "--locale=C")

    def start(self) -> None:
        """Returns once it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", *options],
                stdout=log,
                stderr=log,
                **_as_its_user(self.folder),
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._is_up():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Breaks all connections off and ends."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=_PATIENCE_SECONDS)
            self.process = None

    @property
    def _where(self) -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.port}", f"--username={USER}"]

    def _is_up(self) -> bool:
        command = [self.programs / "pg_isready", "--quiet", *self._where]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self.programs / program, *arguments],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            check=False,
            capture_output=True,
            text=True,
            **_as_its_user(self.folder),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that is up; the test is skipped where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian's package is `postgresql`)")
    # Not under pytest's folders, which only their owner may enter.
    with TemporaryDirectory(prefix="lockstep-postgres-") as folder:
        _give_away(Path(folder))
        server = PostgresServer(programs, Path(folder))
        server.init()
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _programs() -> Path | None:
    """The folder of initdb and postgres; Debian keeps it off PATH."""
    on_path = shutil.which("initdb")
    found = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].resolve().parent if found else None


def _as_its_user(folder: Path) -> dict[str, Any]:
    """It refuses to run as root."""
    user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    return {"cwd": folder, **(user if os.geteuid() == 0 else {})}


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")
