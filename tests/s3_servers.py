"""Real S3 servers on 127.0.0.1: in this process, one that checks rights, one to be killed."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from programs import program

KEY_ID, SECRET = "lockstep", "a-secret-of-tests"
_RCLONE_LISTENING = re.compile(r"Starting s3 server on \[(http://127\.0\.0\.1:\d+)/\]")
_MOTO_LISTENING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class S3Server:
    """Where it listens; the keys are those that it accepts, where it checks them."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a lake on this server needs of the environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def client(self, service: str = "s3") -> Any:
        """A boto3 client that knows nothing of the environment."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )

    def create_bucket(self, name: str) -> str:
        """The URI of a new bucket."""
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}"


def only_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Makes `variables` the only AWS_... ones; no profile or role of this machine is found."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    for name, value in {"AWS_EC2_METADATA_DISABLED": "true", **nowhere, **variables}.items():
        monkeypatch.setenv(name, value)


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """moto: the whole of S3, in memory; it checks no keys."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()


@contextmanager
def guarded_server() -> Iterator[S3Server]:
    """moto in a process of its own; it checks keys and rights while `guard` is on."""
    command = [program("moto_server"), "-H", "127.0.0.1", "-p", "0"]
    with _running(command, _MOTO_LISTENING) as (url, _):
        yield S3Server(url)


def guard(server: S3Server, *, on: bool) -> None:
    """Makes a `guarded_server` check keys and rights, or let everybody do everything."""
    requests_without_check = b"0" if on else b"inf"
    urllib.request.urlopen(
        urllib.request.Request(
            f"{server.url}/moto-api/reset-auth",
            data=requests_without_check,
            headers={"Content-Type": "text/plain"},
        ),
        timeout=10,
    ).close()


@contextmanager
def rclone_server(folder: Path) -> Iterator[tuple[S3Server, subprocess.Popen[str]]]:
    """rclone over `folder`, whose folders are buckets, and its process.

    It checks key and secret, and keeps what it has when it is killed. It answers 200 to
    requests for a range that is the whole object, which Polars refuses: read bytes here.
    """
    command = [program("rclone"), "serve", "s3", folder]
    options = ["--addr", "127.0.0.1:0", "--auth-key", f"{KEY_ID},{SECRET}"]
    with _running([*command, *options, "--config", os.devnull], _RCLONE_LISTENING) as running:
        url, process = running
        yield S3Server(url), process


@contextmanager
def _running(
    command: Sequence[str | Path], listening: re.Pattern[str]
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address that the server says it listens on, and its process, killed on leaving."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        lines = iter(process.stderr.readline, "")
        url = next(filter(None, map(listening.search, lines)))[1]
        # What it says from now on must not fill the pipe: it would wait for a reader.
        rest = threading.Thread(target=process.stderr.read)
        rest.start()
        yield url, process
    finally:
        process.kill()
        process.wait(timeout=10)
    rest.join()
    process.stderr.close()
