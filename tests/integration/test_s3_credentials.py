"""boto3 and Polars sign with the same keys, wherever those are found."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from s3_servers import only_environment

from lockstep.lake.lake import Lake
from lockstep.lake.s3_errors import S3Error

KEYS = {"AWS_ACCESS_KEY_ID": "of-the-test", "AWS_SECRET_ACCESS_KEY": "secret"}
TOKEN = {"AWS_SESSION_TOKEN": "a-token"}


@dataclass
class Doorman:
    """A server that lets nobody in, and knows who asked: key id, region and session token."""

    url: str
    asked: set[tuple[str, str, str | None]] = field(default_factory=set)


@pytest.fixture
def doorman() -> Iterator[Doorman]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802  the name that the standard library calls
            signed = self.headers.get("Authorization", "")
            key_id, region = re.findall(r"Credential=([^/]+)/\d+/([^/]+)/s3/", signed)[0]
            found.asked.add((key_id, region, self.headers.get("x-amz-security-token")))
            body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Doorman(f"http://127.0.0.1:{server.server_address[1]}")
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield found
        finally:
            server.shutdown()
            serving.join()


def ask(doorman: Doorman) -> tuple[set[object], set[object]]:
    """Who boto3 and who Polars said that they were."""
    lake = Lake.at("s3://bucket/lake")
    with pytest.raises(S3Error, match=r"no permission to read \(no\)"):
        lake.read_bytes("x")
    boto3 = set(doorman.asked)
    doorman.asked.clear()
    with pytest.raises(OSError, match="403 Forbidden"):
        lake.scan_parquet(["x"]).collect()
    return boto3, doorman.asked


@pytest.mark.parametrize("token", [{}, TOKEN])
@pytest.mark.parametrize("region", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_keys_in_the_environment(
    doorman: Doorman, monkeypatch: pytest.MonkeyPatch, token: dict[str, str], region: str
) -> None:
    server = {"AWS_ENDPOINT_URL": doorman.url, region: "eu-west-3"}
    only_environment(monkeypatch, {**KEYS, **token, **server})
    expected = {("of-the-test", "eu-west-3", token.get("AWS_SESSION_TOKEN"))}
    assert ask(doorman) == (expected, expected)


def test_keys_in_a_profile(
    doorman: Doorman, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = {name.lower(): value for name, value in {**KEYS, **TOKEN}.items()}
    settings |= {"region": "eu-west-3", "endpoint_url": doorman.url}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (tmp_path / "config").write_text("\n".join(["[profile lake]", *lines]))
    file = {"AWS_CONFIG_FILE": str(tmp_path / "config")}
    only_environment(monkeypatch, {**file, "AWS_PROFILE": "lake"})
    expected = {("of-the-test", "eu-west-3", "a-token")}
    assert ask(doorman) == (expected, expected)


def test_keys_that_a_process_hands_out_are_asked_for_again(
    doorman: Doorman, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Temporary keys that have all but ended: boto3 renews them, and Polars gets the new ones."""
    script, turns = tmp_path / "keys.sh", tmp_path / "turns"
    script.write_text(
        f"echo >> {turns}; n=$(wc -l < {turns}); end=$(date -u -d '+2 minutes' +%FT%TZ)\n"
        'echo "{\\"Version\\": 1, \\"AccessKeyId\\": \\"turn-$n\\", \\"SecretAccessKey\\": \\"s\\",'
        ' \\"SessionToken\\": \\"t\\", \\"Expiration\\": \\"$end\\"}"\n'
    )
    (tmp_path / "config").write_text(f"[default]\ncredential_process = sh {script}\n")
    server = {"AWS_ENDPOINT_URL": doorman.url, "AWS_REGION": "eu-west-3"}
    only_environment(monkeypatch, {"AWS_CONFIG_FILE": str(tmp_path / "config"), **server})
    boto3, polars = ask(doorman)
    assert boto3 and polars
    assert boto3.isdisjoint(polars)
