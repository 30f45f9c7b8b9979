"""The embedded Redis: started, used, saved, stopped; never somebody else's."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_port import free_port
from redis import Redis
from typer.testing import CliRunner

from lockstep.cli.redis import app
from lockstep.errors import LockstepError
from lockstep.stores.embedded_redis import EmbeddedRedis, EmbeddedRedisError, embedded_redis


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path / ".lockstep" / "redis")
    yield server
    server.stop()


def test_a_block_has_a_server_and_nothing_is_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with embedded_redis() as url, Redis.from_url(url) as client:
        assert client.set("key", "value")
        assert list(tmp_path.iterdir())
    with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", _port(url))):
        pass
    assert not list(tmp_path.iterdir())


def test_data_are_kept_in_a_folder(tmp_path: Path) -> None:
    for expected in (None, b"1", b"2"):
        with embedded_redis(tmp_path) as url, Redis.from_url(url) as client:
            assert client.get("count") == expected
            client.incr("count")


def test_it_listens_on_this_machine_only() -> None:
    with embedded_redis() as url, Redis.from_url(url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.config_get("protected-mode") == {"protected-mode": "yes"}


def test_a_taken_port_is_refused_and_its_owner_is_left_alone(server: EmbeddedRedis) -> None:
    with embedded_redis() as url, Redis.from_url(url) as client:
        with pytest.raises(EmbeddedRedisError, match="taken by another program"):
            server.start(_port(url))
        with pytest.raises(EmbeddedRedisError, match="taken"), embedded_redis(port=_port(url)):
            pass
        assert client.ping()


def test_starting_twice_is_starting_once(server: EmbeddedRedis, port: int) -> None:
    assert server.start(port) == server.start(port)


def test_a_state_file_of_a_dead_server_stops_nobody(server: EmbeddedRedis, port: int) -> None:
    running = server.start(port)
    state = (server.folder / "server.json").read_text()
    server.stop()
    (server.folder / "server.json").write_text(state)
    with embedded_redis(port=running.port) as url, Redis.from_url(url) as client:
        assert server.running() is None
        assert server.stop() is None
        assert client.ping()


def test_a_server_that_cannot_write_says_why(tmp_path: Path, port: int) -> None:
    (tmp_path / "dump.rdb").write_text("this is no snapshot of a Redis")
    with pytest.raises(EmbeddedRedisError, match="did not come up"):
        EmbeddedRedis(tmp_path).start(port)


def test_the_command_line_starts_keeps_and_stops(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(tmp_path))
    cli = CliRunner()
    started = cli.invoke(app, ["start", "--port", str(port)], catch_exceptions=False)
    assert f"export REDIS_URL=redis://127.0.0.1:{port}/0" in started.output
    with Redis(port=port) as client:
        client.set("key", "value")
    assert "holds 1 keys" in cli.invoke(app, ["status"], catch_exceptions=False).output
    assert "saved and stopped" in cli.invoke(app, ["stop"], catch_exceptions=False).output
    assert (tmp_path / ".lockstep" / "redis" / "dump.rdb").is_file()
    assert "was not running" in cli.invoke(app, ["stop"], catch_exceptions=False).output


def test_with_redis_url_nothing_is_started(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", f"redis://me:secret@127.0.0.1:{port}/0")
    cli = CliRunner()
    started = cli.invoke(app, ["start"], catch_exceptions=False)
    assert f"redis://me:***@127.0.0.1:{port}/0 is used, nothing is started" in started.output
    assert not list(tmp_path.iterdir())
    status = cli.invoke(app, ["status"])
    assert isinstance(status.exception, LockstepError)
    assert "secret" not in str(status.exception)


def test_data_are_read_by_the_server_that_saved_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no redis-server: the wheel's
    with embedded_redis(tmp_path / "data") as url, Redis.from_url(url) as client:
        client.set("kept", "yes")
    monkeypatch.undo()
    with embedded_redis(tmp_path / "data") as url, Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


def test_data_whose_server_is_gone_are_named(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url, Redis.from_url(url) as client:
        client.set("kept", "yes")
    (tmp_path / "saved_by").write_text("/gone/redis-server")
    with (
        pytest.raises(EmbeddedRedisError, match=r"saved by /gone/redis-server, which is gone"),
        embedded_redis(tmp_path),
    ):
        pass
    assert (tmp_path / "dump.rdb").is_file()


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/")[0])
