"""A real Prometheus and a real Alertmanager over our files, with what is different in a test."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from compose_secrets import make_secrets
from free_port import free_port
from monitoring_files import ALERTMANAGER, PROMETHEUS, RECORDED

PATIENCE_SECONDS = 60.0
_SECRETS = "/run/secrets"


@dataclass(frozen=True)
class Server:
    """A server that asks for a password, unless that is empty."""

    url: str
    password: str
    health: str = "/-/ready"

    def get(self, path: str, *, password: str | None = None, body: Any = None) -> Any:
        """The JSON at `path`, as the user that our configuration names."""
        given = f"lockstep:{self.password if password is None else password}".encode()
        headers = {"Authorization": "Basic " + base64.b64encode(given).decode()}
        data = None if body is None else json.dumps(body).encode()
        if data:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read()
        return json.loads(text) if text.startswith((b"{", b"[")) else text.decode()

    def status_without_password(self, path: str) -> int:
        """The HTTP status of an answer to a stranger."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series that a query gives now."""
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expr})
        found = self.get(path)["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]


@dataclass(frozen=True)
class Secrets:
    """A folder that stands for /run/secrets."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Secrets:
        """All that compose/make-secrets makes."""
        made = make_secrets(folder)
        assert made.returncode == 0, made.stderr
        return cls(folder)

    def add(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def password(self, server: str) -> str:
        """What that server asks for."""
        return (self.folder / f"{server}_password").read_text()

    def placed(self, config: str) -> str:
        """`config` with the files of secrets where they are here."""
        return config.replace(_SECRETS, str(self.folder))


@contextmanager
def prometheus(
    folder: Path, held: Secrets, targets: Mapping[str, str], *more_jobs: Mapping[str, Any]
) -> Iterator[Server]:
    """Prometheus over our configuration, a scrape a second; `targets` are by name and port of ours.

    `more_jobs` are what a cluster has beyond that.
    """
    password, port = held.password("prometheus"), free_port()
    text = held.placed((PROMETHEUS / "prometheus.yml").read_text())
    for ours, theirs in {"localhost:9090": f"127.0.0.1:{port}", **targets}.items():
        text = text.replace(ours, theirs)
    config = yaml.safe_load(text)
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"] += more_jobs
    shutil.copytree(PROMETHEUS / "rules", folder / "rules")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--web.config.file={held.folder / 'prometheus_web.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={folder / 'data'}",
    ]
    with _running(command, Server(f"http://127.0.0.1:{port}", password), folder) as server:
        yield server


@contextmanager
def alertmanager(folder: Path, held: Secrets, **settings: str) -> Iterator[Server]:
    """Alertmanager over our configuration; `settings` replace those of the route."""
    password, port = held.password("alertmanager"), free_port()
    config = yaml.safe_load(held.placed(ALERTMANAGER.read_text()))
    for route in (config["route"], *config["route"]["routes"]):
        route |= settings
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    name = "prometheus-alertmanager" if shutil.which("prometheus-alertmanager") else "alertmanager"
    command = [
        name,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--web.config.file={held.folder / 'alertmanager_web.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.path={folder / 'notified'}",
        "--cluster.listen-address=",
    ]
    with _running(command, Server(f"http://127.0.0.1:{port}", password), folder) as server:
        yield server


@contextmanager
def redis_exporter(folder: Path, redis_url: str) -> Iterator[str]:
    """Host and port of Debian's exporter over that Redis, which asks for no password."""
    host = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus-redis-exporter",
        f"--redis.addr={redis_url}",
        f"--web.listen-address={host}",
    ]
    with _running(command, Server(f"http://{host}", "", health="/health"), folder):
        yield host


@contextmanager
def _running(command: list[str], server: Server, folder: Path) -> Iterator[Server]:
    log = folder / f"{command[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: _answers(server) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def _answers(server: Server) -> bool:
    try:
        server.get(server.health)
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], Any]) -> Any:
    """What `condition` gives once that is true; fails where it never is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)
    return found


class _Pages(BaseHTTPRequestHandler):
    """Shows recorded expositions, and keeps what is sent."""

    received: list[tuple[str, Any]]

    def do_GET(self) -> None:
        text = (RECORDED / f"{self.path.strip('/')}.txt").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests read what was received."""


@contextmanager
def pages() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Host and port of a server of what was recorded, and the messages that it gets."""
    received: list[tuple[str, Any]] = []
    handler = type("Pages", (_Pages,), {"received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
