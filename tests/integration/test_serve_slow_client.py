"""Clients that dawdle, or speak no HTTP: each is let go, and nobody else waits for it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psutil
import pytest
from fraud_project import Project, materialize
from serving_client import END, GOOD, PREDICT

from lockstep.cli.demo_parts.api import Api, serving
from lockstep.stores.embedded_redis import embedded_redis

PATIENCE_SECONDS = 60
CLIENTS = 20
# What a worker may have at all; it has 350 while twenty answers wait for readers, 410 if all
# twenty batches were worked on at once.
MOST_MB = 400
ROW = GOOD | {"event_timestamp": END.isoformat()}
BODY = json.dumps(ROW).encode()
# Its answer is larger than what the kernel takes in for a client that does not read.
BATCH = json.dumps({"rows": [ROW] * 1_000}).encode()


@pytest.fixture(scope="module")
def api(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that gives its clients a second; one worker, without a log."""
    folder = tmp_path_factory.mktemp("slow")
    with pytest.MonkeyPatch.context() as environment, embedded_redis() as url:
        environment.setenv("LOCKSTEP_PROJECT_DIR", str(project.settings.project_dir))
        environment.setenv("REDIS_URL", url)
        environment.setenv("SERVING_LOG_SHARE", "0")
        environment.setenv("SERVING_CLIENT_SECONDS", "1")
        # Twenty batches at once keep the worker busy for longer than Redis usually may take.
        environment.setenv("SERVING_REDIS_TIMEOUT_SECONDS", "30")
        materialize(project.settings, url, END)
        with serving(folder / "serve.log") as api:
            api.wait_until_ready()
            yield api


@dataclass
class Slow:
    """One connection, on which nothing is in a hurry."""

    socket: socket.socket

    @classmethod
    def to(cls, api: Api) -> Slow:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE_SECONDS)
        client.connect(("127.0.0.1", api.port))
        return cls(client)

    def send(self, content: bytes) -> bool:
        """Whether somebody still listened."""
        try:
            self.socket.sendall(content)
        except OSError:
            return False
        return True

    def rest(self) -> bytes:
        """Everything that comes until the server hangs up."""
        parts = []
        try:
            while part := self.socket.recv(65536):
                parts.append(part)
        except ConnectionError:
            pass
        return b"".join(parts)

    def drip(self, content: bytes) -> bytes:
        """Sends a byte at a time until the server hangs up; what it said."""
        self.socket.settimeout(0.05)
        said, deadline = b"", time.monotonic() + PATIENCE_SECONDS
        for byte in content:
            assert time.monotonic() < deadline
            if not self.send(bytes([byte])):
                break
            try:
                if not (part := self.socket.recv(65536)):
                    break
                said += part
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return said


def head(api: Api, path: str, length: int, kind: str = "application/json") -> bytes:
    """The headers of a request whose body has `length` bytes."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {api.key}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def nothing_at_all(api: Api, client: Slow) -> bytes:
    return client.rest()


def half_the_headers(api: Api, client: Slow) -> bytes:
    client.send(head(api, PREDICT, len(BODY))[:-10])
    return client.rest()


def dripping_headers(api: Api, client: Slow) -> bytes:
    return client.drip(head(api, PREDICT, len(BODY)) + b"x" * 10_000)


def no_body(api: Api, client: Slow) -> bytes:
    client.send(head(api, PREDICT, len(BODY)))
    return client.rest()


def half_a_body(api: Api, client: Slow) -> bytes:
    client.send(head(api, PREDICT, len(BODY)) + BODY[:-10])
    return client.rest()


def a_dripping_body(api: Api, client: Slow) -> bytes:
    client.send(head(api, PREDICT, 10_000))
    return client.drip(b" " * 10_000)


def the_second_half_a_body(api: Api, client: Slow) -> bytes:
    client.send(head(api, PREDICT, len(BODY)) + BODY)
    assert client.socket.recv(12) == b"HTTP/1.1 200"
    client.send(head(api, PREDICT, len(BODY)) + BODY[:-10])
    return client.rest().partition(b"}HTTP/1.1 ")[2].join((b"HTTP/1.1 ", b""))


def a_dripping_body_that_was_refused(api: Api, client: Slow) -> bytes:
    client.send(head(api, PREDICT, 10_000, "text/plain"))
    return client.drip(b" " * 10_000)


def a_refused_body_that_ends_late(api: Api, client: Slow) -> bytes:
    client.send(head(api, PREDICT, 10, "text/plain"))
    said = client.socket.recv(65536)
    client.send(b" " * 10)
    return said + client.rest()


def an_answer_that_nobody_reads(api: Api, client: Slow) -> bytes:
    for _ in range(3):
        client.send(head(api, f"{PREDICT}/batch", len(BATCH)) + BATCH)
    _wait_until(lambda: _connections(api) == 0)
    return b""


LATE = b"HTTP/1.1 408 Request Timeout"
REFUSED = b"HTTP/1.1 422 Unprocessable"
WAYS: dict[Callable[[Api, Slow], bytes], bytes] = {
    nothing_at_all: b"",
    half_the_headers: LATE,
    dripping_headers: LATE,
    no_body: LATE,
    half_a_body: LATE,
    a_dripping_body: LATE,
    the_second_half_a_body: LATE,
    a_dripping_body_that_was_refused: REFUSED,
    a_refused_body_that_ends_late: REFUSED,
    an_answer_that_nobody_reads: b"",
}


@pytest.mark.parametrize("dawdle", WAYS, ids=lambda way: way.__name__)
def test_a_slow_client_is_let_go_and_nobody_waits_for_it(
    api: Api, dawdle: Callable[[Api, Slow], bytes]
) -> None:
    said: list[bytes] = []
    with ExitStack() as open_ones:
        slow = [Slow.to(api) for _ in range(CLIENTS)]
        for client in slow:
            open_ones.callback(client.socket.close)
        threads = [
            threading.Thread(target=lambda client=client: said.append(dawdle(api, client)))
            for client in slow
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            (answer,) = api.post(PREDICT, [ROW])
            assert 0 <= answer["score"] <= 1
            assert _memory_mb(api) < MOST_MB
            time.sleep(0.02)
        _wait_until(lambda: _connections(api) == 0)
    assert len(said) == CLIENTS
    for text in said:
        assert text.startswith(WAYS[dawdle]) if WAYS[dawdle] else text == b""
        if text:
            _check_problem(text)


@pytest.mark.parametrize(
    "content",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"POST /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n",
        b"X" * 100_000,
    ],
    ids=range(6),
)
def test_bytes_that_are_no_http_are_refused_as_such(api: Api, content: bytes) -> None:
    client = Slow.to(api)
    client.send(content)
    said = client.rest()
    client.socket.close()
    assert said.startswith(b"HTTP/1.1 400 Bad Request")
    _check_problem(said)


def _check_problem(said: bytes) -> None:
    """One response, and a problem document."""
    headers, _, body = said.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in headers
    document = json.loads(body)
    assert document["status"] == int(headers.split()[1])
    assert document["instance"] in (PREDICT, "/", "")


def test_slow_clients_are_not_counted_as_faults_of_the_server(api: Api) -> None:
    client = Slow.to(api)
    client.send(head(api, PREDICT, len(BODY)))
    client.socket.close()
    client = Slow.to(api)
    assert no_body(api, client).startswith(LATE)
    client.socket.close()
    _wait_until(lambda: 'status="4xx"' in _metrics(api))
    assert 'status="5xx"' not in _metrics(api)


def _metrics(api: Api) -> str:
    client = Slow.to(api)
    client.send(
        f"GET /metrics HTTP/1.1\r\nHost: x\r\nX-API-Key: {api.key}\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    text = client.rest().decode()
    client.socket.close()
    return "\n".join(line for line in text.splitlines() if PREDICT in line)


def _connections(api: Api) -> int:
    """Connections of clients that the server holds."""
    return sum(
        connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == api.port
        for connection in _worker(api).net_connections("tcp")
    )


def _memory_mb(api: Api) -> float:
    return float(_worker(api).memory_info().rss / 1e6)


def _worker(api: Api) -> psutil.Process:
    children = psutil.Process(api.process.pid).children()
    (worker,) = (child for child in children if "spawn_main" in " ".join(child.cmdline()))
    return worker


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
