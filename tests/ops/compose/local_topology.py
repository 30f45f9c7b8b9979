"""The services of compose.yaml as processes of this machine: same commands, settings and files.

Only what an engine would do is done here: host names become ports of 127.0.0.1, and folders of
containers become folders of the test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compose_secrets import make_secrets
from composed import FOLDER, ROOT, config
from free_port import free_port
from postgres_server import PASSWORD, USER, PostgresServer, postgres_server
from programs import BIN, program
from s3_servers import moto_server

_PORTS = {
    "redis": 6379,
    "postgres": 5432,
    "s3": 7070,
    "mlflow": 5000,
    "api": 8000,
    "exporter": 9108,
    "feast-ui": 8888,
    "front": 8080,
    "redis-exporter": 9121,
}
_PATIENCE_SECONDS = 120.0


@dataclass
class Topology:
    """Where everything is; `secrets` are those that compose/make-secrets has made."""

    folder: Path
    services: dict[str, Any]
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in _PORTS})
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    extra_packages: str = ""

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def url(self, service: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def here(self, text: str, service: str = "") -> str:
        """`text` of a container as it must be on this machine."""
        for name, port in _PORTS.items():
            text = re.sub(rf"(?<![\w-]){name}:{port}\b", f"127.0.0.1:{self.ports[name]}", text)
        home = self.folder / "homes" / service
        places = {
            "/run/secrets": self.secrets,
            "/tmp/": f"{home}/",
            "/app": ROOT,
            "/var/lib/lockstep": home,
            "/data": self.folder / "data" / service,
            "0.0.0.0": "127.0.0.1",
        }
        # At once: what has been replaced is not looked at again.
        theirs = re.compile("|".join(rf"(?<![\w/.]){re.escape(place)}" for place in places))
        text = theirs.sub(lambda found: str(places[found[0]]), text)
        if service in _PORTS:
            text = re.sub(rf"^(--port=|:)?{_PORTS[service]}$", rf"\g<1>{self.ports[service]}", text)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """What compose gives the service, and what any process of this machine has."""
        home = self.folder / "homes" / service
        home.mkdir(parents=True, exist_ok=True)
        given = self.services[service].get("environment") or {}
        path = f"{BIN}:{os.environ['PATH']}"
        own = {"SECRETS_DIR": str(self.secrets), "PRIVATE_DIR": str(home / "secrets")}
        machine = {"PATH": path, "HOME": str(home), "PYTHONPATH": self.extra_packages}
        aws = {"AWS_EC2_METADATA_DISABLED": "true"}
        # As Python does where no engine sets it; a container's is not the test's.
        return machine | own | aws | {k: self.here(str(v), service) for k, v in given.items()}

    def command(self, service: str) -> list[str]:
        """The service's command under the entrypoint that the images have."""
        words = [self.here(word, service) for word in self.services[service]["command"]]
        return ["/bin/sh", str(FOLDER / "entrypoint"), *words]

    def start(self, service: str, command: list[str] | None = None, **more: str) -> None:
        """Starts a service; its output goes to a log."""
        environment = self.environment(service) | more
        with (self.folder / f"{service}.log").open("wb") as log:
            self.processes[service] = subprocess.Popen(
                command or self.command(service),
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def once(self, service: str, command: list[str] | None = None) -> str:
        """Runs a service that ends; what it printed."""
        done = subprocess.run(
            command or self.command(service),
            env=self.environment(service),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (service, done.stdout, done.stderr)
        return done.stdout

    def wait_for(self, service: str, path: str) -> None:
        """Returns once it answers 200 or 204."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.status(self.url(service, path)) not in (200, 204):
            log = (self.folder / f"{service}.log").read_text()
            assert self.processes[service].poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.2)

    @staticmethod
    def status(url: str, headers: dict[str, str] | None = None, method: str = "GET") -> int:
        """What it answers; 0 for nothing."""
        request = urllib.request.Request(url, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def local_topology(folder: Path) -> Iterator[Topology]:
    """What runs before anything was applied, up and healthy; `apply` is a step of the smoke run."""
    services = config("all")["services"] | config("jobs")["services"]
    topology = Topology(folder, services)
    made = make_secrets(topology.secrets)
    assert made.returncode == 0, made.stderr
    for file in topology.secrets.iterdir():
        file.write_text(topology.here(file.read_text()))
    topology.extra_packages = _mlflow_auth(folder / "packages")
    with ExitStack() as stack:
        stack.callback(topology.stop)
        start_redis(topology)
        _start_s3(topology, stack)
        postgres = stack.enter_context(postgres_server())
        topology.ports["postgres"] = postgres.port
        _relocate_postgres(topology)
        run_roles(postgres, FOLDER / "postgres" / "roles.sql", topology.secrets)
        topology.start("mlflow")
        topology.wait_for("mlflow", "/health")
        topology.once("mlflow-reader")
        # The API's port is no word of its command.
        topology.start("api", SERVING_PORT=str(topology.ports["api"]))
        start_front(topology)
        for service, path in (("api", "/live"), ("front", "/healthy")):
            topology.wait_for(service, path)
        yield topology


def _relocate_postgres(topology: Topology) -> None:
    """Its server chose its port itself."""
    chosen = re.compile(r"(@127\.0\.0\.1:)\d+(/(?:mlflow|feast|airflow)\b)")
    for file in topology.secrets.iterdir():
        file.write_text(chosen.sub(rf"\g<1>{topology.ports['postgres']}\2", file.read_text()))


def _mlflow_auth(folder: Path) -> str:
    """What the image of the jobs has besides the lock, from the same hashes."""
    uv = ROOT / ".uv" / "bin" / "uv"
    lock = FOLDER / "mlflow" / "requirements.txt"
    options = ["--quiet", "--no-deps", "--require-hashes", "--python", program("python")]
    command = [uv, "pip", "install", *options, "--target", folder, "-r", lock]
    subprocess.run([str(word) for word in command], check=True)
    return str(folder)


def start_redis(topology: Topology) -> None:
    """redis-server as compose starts it, but on 127.0.0.1."""
    (topology.folder / "data" / "redis").mkdir(parents=True, exist_ok=True)
    more = ["--port", str(topology.ports["redis"]), "--bind", "127.0.0.1"]
    topology.start("redis", [*topology.command("redis")[2:], *more])
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while "Ready to accept" not in (log := (topology.folder / "redis.log").read_text()):
        assert topology.processes["redis"].poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.05)


def start_redis_exporter(topology: Topology) -> None:
    """Debian's exporter as compose starts its own, but on 127.0.0.1."""
    listen = f"--web.listen-address=127.0.0.1:{topology.ports['redis-exporter']}"
    topology.start("redis-exporter", ["prometheus-redis-exporter", listen])
    topology.wait_for("redis-exporter", "/health")


def _start_s3(topology: Topology, stack: ExitStack) -> None:
    """The server of compose where it is on PATH; else moto, which checks no keys."""
    gateway = shutil.which("versitygw")
    if gateway is None:
        server = stack.enter_context(moto_server())
        topology.ports["s3"] = int(server.url.rpartition(":")[2])
        for bucket in ("lockstep-lake", "lockstep-mlflow"):
            server.create_bucket(bucket)
        return
    for name in ("iam", "buckets"):
        (topology.folder / "data" / "s3" / name).mkdir(parents=True)
    entry = topology.command("s3")[:2]
    topology.start("s3", [*entry, gateway, *topology.command("s3")[2:]])
    topology.wait_for("s3", "/health")
    buckets = ["/usr/bin/env", f"VERSITYGW={gateway}", "/bin/sh", str(FOLDER / "s3-buckets")]
    for _ in range(2):  # what is there already stays
        topology.once("s3-buckets", [*entry, *buckets])


def run_roles(postgres: PostgresServer, script: Path, secrets: Path) -> None:
    """The script as the image's entrypoint runs it, with psql.

    Raises:
        AssertionError: psql refused; has what it said.
    """
    where = ["--host=127.0.0.1", f"--port={postgres.port}", f"--username={USER}"]
    done = subprocess.run(
        [postgres.programs / "psql", *where, "--dbname=postgres", "--no-psqlrc", "-f", script],
        env={"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD, "SECRETS_DIR": str(secrets)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def start_front(topology: Topology, text: str | None = None) -> None:
    """nginx with compose's file; as root its workers stay root, to read the test's secrets."""
    home = topology.folder / "homes" / "front"
    home.mkdir(parents=True, exist_ok=True)
    given = (FOLDER / "front" / "nginx.conf").read_text() if text is None else text
    listen = f"listen 127.0.0.1:{topology.ports['front']};"
    file = topology.folder / "nginx.conf"
    text = topology.here(given.replace("listen 8080;", listen), "front")
    # A log that is the process's own output cannot be opened again by its name in a test.
    file.write_text(text.replace("/dev/stdout", f"{home}/access.log"))
    user = " user root;" if os.geteuid() == 0 else ""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx, "nginx is not installed (Debian's package is `nginx-light`)"
    topology.start("front", [nginx, "-c", str(file), "-g", f"daemon off;{user}"])
