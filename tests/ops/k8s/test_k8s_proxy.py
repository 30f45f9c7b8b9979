"""The proxies' files in a real nginx, with a small server behind them."""

from __future__ import annotations

import base64
import http.client
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from free_port import free_port
from k8s_manifests import K8S, Object, containers, of_kind

PARTS = {"api": 8000, "exporter": 9108, "feast-ui": 8888, "mlflow": 5000}
USER, PASSWORD = "somebody", os.urandom(8).hex()


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        body = f"{self.path} {self.headers.get('Authorization')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def nginx() -> str:
    """The program; Debian keeps it in /usr/sbin."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, "nginx is not installed (Debian's package is `nginx-light`)"
    return found


def files(folder: Path, port: int, behind: int) -> None:
    """Puts the proxies' files in `folder`, at ports and paths of this test."""
    (folder / "tls").mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost", "-days", "1"]
        + ["-keyout", folder / "tls/tls.key", "-out", folder / "tls/tls.crt"],
        check=True,
        capture_output=True,
    )
    digest = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"],
        input=PASSWORD,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (folder / "htpasswd").write_text(f"{USER}:{digest}")
    for source in (K8S / "base" / "proxy").glob("*.conf"):
        text = source.read_text().replace("listen 8443", f"listen 127.0.0.1:{port}")
        text = re.sub(r"(\s)/tmp/", rf"\1{folder}/", text)
        text = text.replace("/etc/lockstep/tls", f"{folder}/tls")
        text = text.replace("/etc/lockstep/htpasswd/htpasswd", f"{folder}/htpasswd")
        for part_port in PARTS.values():
            text = text.replace(f"127.0.0.1:{part_port}", f"127.0.0.1:{behind}")
        (folder / source.name).write_text(text)
    if os.geteuid() == 0:  # its worker is nobody then
        folder.chmod(0o755)
        (folder / "htpasswd").chmod(0o644)
        main = folder / "main.conf"
        main.write_text("user root;\n" + main.read_text())


@contextmanager
def proxied(folder: Path, part: str) -> Iterator[int]:
    """The port of the part's proxy, with a server behind it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    files(folder, port, server.server_address[1])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([nginx(), "-c", folder / f"{part}.conf"], stderr=log)
    try:
        deadline = time.monotonic() + 20
        while not (folder / "nginx.pid").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(20)
        server.shutdown()
        server.server_close()


def ask(
    folder: Path, port: int, path: str, *, user: str | None = None, body: bytes | None = None
) -> tuple[int, str]:
    """Status and body of an answer, over TLS that is verified."""
    trusted = ssl.create_default_context(cafile=str(folder / "tls/tls.crt"))
    connection = http.client.HTTPSConnection("localhost", port, context=trusted, timeout=20)
    headers = {}
    if user is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    connection.request("GET" if body is None else "POST", path, body=body, headers=headers)
    answer = connection.getresponse()
    status, text = answer.status, answer.read().decode()
    connection.close()
    return status, text


@pytest.mark.parametrize("part", PARTS)
def test_nginx_takes_the_files(tmp_path: Path, part: str) -> None:
    files(tmp_path, free_port(), free_port())
    command = [nginx(), "-t", "-c", tmp_path / f"{part}.conf"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / f"{part}.conf").write_text("include main.conf;\nhttp { lissen 1; }\n")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert 'unknown directive "lissen"' in done.stderr


@pytest.mark.parametrize(("part", "path"), [("feast-ui", "/"), ("exporter", "/metrics")])
def test_who_has_no_password_is_refused(tmp_path: Path, part: str, path: str) -> None:
    with proxied(tmp_path, part) as port:
        assert ask(tmp_path, port, path)[0] == 401
        assert ask(tmp_path, port, path, user=f"{USER}:wrong")[0] == 401
        assert ask(tmp_path, port, path, user=f"{USER}:{PASSWORD}")[0] == 200


def test_the_health_of_the_feast_ui_needs_none(tmp_path: Path) -> None:
    with proxied(tmp_path, "feast-ui") as port:
        assert ask(tmp_path, port, "/health") == (200, "/health None")
        assert ask(tmp_path, port, "/health/x")[0] == 401


def test_the_exporter_shows_metrics_alone(tmp_path: Path) -> None:
    with proxied(tmp_path, "exporter") as port:
        assert ask(tmp_path, port, "/other", user=f"{USER}:{PASSWORD}")[0] == 404


@pytest.mark.parametrize("part", ["api", "mlflow"])
def test_who_checks_for_themselves_hears_who_asks(tmp_path: Path, part: str) -> None:
    with proxied(tmp_path, part) as port:
        status, text = ask(tmp_path, port, "/x?y=1", user="reader:word")
        assert (status, text) == (200, "/x?y=1 Basic " + base64.b64encode(b"reader:word").decode())


@pytest.mark.parametrize("part", PARTS)
def test_plain_http_gets_no_answer(tmp_path: Path, part: str) -> None:
    with proxied(tmp_path, part) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/health")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()
        connection.close()


def test_a_body_that_is_too_long_stops_at_the_proxy(tmp_path: Path) -> None:
    with proxied(tmp_path, "api") as port:
        assert ask(tmp_path, port, "/v1", body=b"x" * 1_048_576)[0] == 200
        assert ask(tmp_path, port, "/v1", body=b"x" * 1_048_577)[0] == 413


def test_every_part_listens_behind_its_proxy_only(objects: list[Object]) -> None:
    for deployment in of_kind(objects, "Deployment"):
        name = deployment["metadata"]["name"]
        template = deployment["spec"]["template"]
        assert template["metadata"]["labels"]["app.kubernetes.io/component"] == name
        proxy, main = containers(template)
        conf = (K8S / "base" / "proxy" / f"{name}.conf").read_text()
        assert f"127.0.0.1:{PARTS[name]}" in conf
        assert proxy["ports"] == [{"name": "https", "containerPort": 8443}]
        said = " ".join(main["command"]) + str(main.get("env"))
        assert "127.0.0.1" in said and "0.0.0.0" not in said
        assert str(PARTS[name]) in said
