"""A model of the real transactions served three ways: by us, by `feast serve`, by an empty route.

`feast serve` answers the same features from the same Redis through Feast's own store, without
a model. All are one process each, and asked by the same client on the same machine.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from benchmarks.timing import ROOT

PREDICT = "/v1/fraud/predict"
FEAST = "/get-online-features"
T = "2018-10-02T12:00:00Z"
_T_US = 1_538_481_600_000_000
_END = "2018-10-02T00:00:00+00:00"
_PATIENCE_SECONDS = 120
_BARE = """
from fastapi import FastAPI
app = FastAPI()
@app.post("/")
async def empty():
    return {}
"""


@dataclass(frozen=True)
class Project:
    """A folder with a trained model, and a Redis that holds its features."""

    folder: Path
    env: dict[str, str]
    key: str


@dataclass(frozen=True)
class Server:
    """A server that answers, and the process that does its work."""

    port: int
    process: psutil.Process
    ready_seconds: float

    @property
    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@cache
def project() -> Project:
    """Made once: ingest, build, apply, train and materialise; some two minutes."""
    folder = Path(tempfile.mkdtemp(prefix="lockstep-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(ROOT / "feature_repo", folder / "feature_repo")
    port = _free_port()
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    atexit.register(redis.kill)
    env = {"LOCKSTEP_PROJECT_DIR": str(folder), "REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    real = Path(os.environ["LOCKSTEP_REAL_DATA"]) / "handbook_transactions.parquet"
    _run(["lockstep", "ingest", "fraud", "--from", str(real)], folder, env)
    _run(["lockstep", "build", "fraud"], folder, env)
    _run(["feast", "apply"], folder / "feature_repo", env)
    _run(["lockstep", "train", "fraud", "--train-days", "30"], folder, env)
    _run(["feast", "materialize", "2018-04-01T00:00:00+00:00", _END], folder / "feature_repo", env)
    _peer_repository(folder, env["REDIS_URL"])
    return project_in(folder, env["REDIS_URL"])


def project_in(folder: Path, redis_url: str) -> Project:
    """A folder in which a model was trained and materialised, with a key for us."""
    env = {"LOCKSTEP_PROJECT_DIR": str(folder), "REDIS_URL": redis_url}
    scopes = ("--scope", "predict", "--scope", "read")
    key = _run(["lockstep", "keys", "add", "bench", *scopes], folder, env).strip()
    return Project(folder, env, key)


@contextmanager
def ours(project: Project, **settings: str) -> Iterator[Server]:
    """`lockstep serve` with one worker."""
    port = _free_port()
    command = [_tool("lockstep"), "serve", "--port", str(port)]
    with _serving(command, project.folder, project.env | settings, port, "/ready") as server:
        yield server


@contextmanager
def feast_serve(project: Project) -> Iterator[Server]:
    """`feast serve` with one worker that is not restarted, over Feast's own Redis store."""
    port = _free_port()
    command = [_tool("feast"), "serve", "--port", str(port), "--no-access-log"]
    command += ["--max-requests", "100000000"]
    with _serving(command, project.folder / "peer", project.env, port, "/health") as server:
        yield server


@contextmanager
def bare(project: Project) -> Iterator[Server]:
    """An empty route of FastAPI under uvicorn."""
    (project.folder / "bare.py").write_text(_BARE)
    port = _free_port()
    command = [_tool("uvicorn"), "bare:app", "--port", str(port), "--no-access-log"]
    with _serving(command, project.folder, project.env, port, "/docs") as server:
        yield server


def requests_a_second(
    project: Project, server: Server, path: str, *, connections: int, seconds: int
) -> float:
    """What wrk's closed loop reaches.

    Raises:
        SystemExit: an answer was not 200.
    """
    script = project.folder / "post.lua"
    script.write_text(_wrk_script(project.key, path))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "10"]
    command += ["-s", str(script), f"http://127.0.0.1:{server.port}{path}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{path}: {said}")
    return float(said.split("Requests/sec:")[1].split()[0])


def post(project: Project, server: Server, path: str, body: bytes) -> bytes:
    """The answer to one request."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        body,
        {"Content-Type": "application/json", "X-API-Key": project.key},
    )
    with urllib.request.urlopen(request) as response:
        return bytes(response.read())


def row(number: int) -> dict[str, Any]:
    """One request to predict, of entities that exist."""
    return {
        "customer_id": number * 7_919 % 5_000,
        "terminal_id": number * 104_729 % 10_000,
        "amount_cents": number * 31 % 20_000,
        "event_timestamp": T,
    }


def _wrk_script(key: str, path: str) -> str:
    entities = "n * 7919 % 5000, n * 104729 % 10000, n * 31 % 20000"
    bodies = {
        PREDICT: f'{{"customer_id":%d,"terminal_id":%d,"amount_cents":%d,"event_timestamp":"{T}"}}',
        FEAST: '{"feature_service":"fraud_v1","entities":{"customer_id":[%d],'
        f'"terminal_id":[%d],"amount_cents":[%d],"transaction_time_us":[{_T_US}]}}}}',
        "/": '{"customer_id":%d,"terminal_id":%d,"amount_cents":%d}',
    }
    return f"""
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-API-Key"] = "{key}"
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, nil, nil, string.format('{bodies[path]}', {entities}))
end
"""


def _peer_repository(folder: Path, redis_url: str) -> None:
    peer = folder / "peer"
    peer.mkdir()
    address = redis_url.removeprefix("redis://").removesuffix("/0")
    (peer / "feature_store.yaml").write_text(
        f"project: lockstep\nprovider: local\nregistry: {folder}/.lockstep/registry.db\n"
        f"online_store: {{type: redis, connection_string: '{address}'}}\n"
        "offline_store: {type: file}\nentity_key_serialization_version: 3\n"
    )


@contextmanager
def _serving(
    command: list[str], folder: Path, env: dict[str, str], port: int, path: str
) -> Iterator[Server]:
    started = time.monotonic()
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | env, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(f"http://127.0.0.1:{port}{path}", process, folder / f"{port}.log")
        ready_seconds = time.monotonic() - started
        yield Server(port, _worker(process.pid), ready_seconds)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _worker(pid: int) -> psutil.Process:
    """The busiest of the process and its children: the one that answers."""
    parent = psutil.Process(pid)
    family = parent.children(recursive=True)
    workers = [child for child in family if "spawn_main" in " ".join(child.cmdline())]
    return (
        workers
        or [c for c in family if "resource_tracker" not in " ".join(c.cmdline())]
        or [parent]
    )[-1]


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{url} does not answer: {log.read_text()[-2000:]}") from None
            time.sleep(0.02)


def _run(command: list[str], folder: Path, env: dict[str, str]) -> str:
    ended = subprocess.run(
        [_tool(command[0]), *command[1:]],
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"{command}: {ended.stderr[-2000:]}")
    return ended.stdout


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
