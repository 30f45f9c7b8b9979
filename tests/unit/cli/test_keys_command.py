"""`lockstep keys`: a key is printed once, alone, and is known from then on."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockstep.cli.main import main
from lockstep.contract.api_keys import Scope, add_key, key_parts, new_key, read_keys, secret_digest


class Shell:
    """Runs `lockstep keys` and tells its exit code and what it wrote."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        self._monkeypatch.setattr(sys, "argv", ["lockstep", "keys", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        wrote = self._capsys.readouterr()
        assert exit_.value.code == code, wrote
        return wrote.out, wrote.err


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setenv("COLUMNS", "120")
    return Shell(monkeypatch, capsys)


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file of a home of its own."""
    monkeypatch.setenv("LOCKSTEP_HOME", str(tmp_path))
    monkeypatch.delenv("SERVING_KEYS_FILE", raising=False)
    return tmp_path / "api_keys.json"


def test_a_key_stands_alone_on_stdout(keys: Shell, path: Path) -> None:
    out, err = keys("add", "shop", "--scope", "read", "--scope", "predict")
    (key,) = read_keys(path)
    key_id, secret = key_parts(out.removesuffix("\n"))
    assert (key_id, secret_digest(secret)) == (key.id, key.sha256)
    assert f"Key {key.id} may predict, read" in err
    assert str(path) in err
    assert secret not in err
    assert (key.name, key.requests_per_second, key.expires) == ("shop", None, None)
    assert key.scopes == {Scope.READ, Scope.PREDICT}


def test_limits_are_kept(keys: Shell, path: Path) -> None:
    options = ("--requests-per-second", "2.5", "--burst", "9", "--days", "30")
    keys("add", "shop", "--scope", "admin", *options)
    (key,) = read_keys(path)
    assert (key.requests_per_second, key.burst) == (2.5, 9)
    assert key.expires == key.created + timedelta(days=30)
    assert key.created <= datetime.now(UTC)


def test_the_list_shows_keys_and_no_secrets(keys: Shell, path: Path) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    old, old_text = new_key("old [bold]shop", frozenset({Scope.READ}), now=past, days=1)
    add_key(path, old)
    out, _ = keys("add", "till", "--scope", "predict", "--requests-per-second", "20")
    shown, _ = keys("list")
    lines = {
        key.id: line for key in read_keys(path) for line in shown.splitlines() if key.id in line
    }
    assert len(lines) == 2
    for part in ("old [bold]shop", "read", "no limit", "2020-01-01", "2020-01-02 00:00 (expired)"):
        assert part in lines[old.id]
    for part in ("till", "predict", "20", "never"):
        assert part in lines[out[4:12]]
    for text in (old_text, out.strip()):
        assert text[13:21] not in shown
    for key in read_keys(path):
        assert key.sha256[:8] not in shown


def test_without_keys_the_list_says_so(keys: Shell, path: Path) -> None:
    assert keys("list")[0] == f"There are no keys in {path}.\n"


def test_a_revoked_key_is_gone(keys: Shell, path: Path) -> None:
    out, _ = keys("add", "shop", "--scope", "read")
    keys("add", "till", "--scope", "read")
    told, _ = keys("revoke", out[4:12])
    assert told == f"Key {out[4:12]} of shop is revoked.\n"
    assert [key.name for key in read_keys(path)] == ["till"]


def test_another_file_may_be_named(
    keys: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    other = tmp_path / "elsewhere" / "keys.json"
    monkeypatch.setenv("SERVING_KEYS_FILE", str(other))
    keys("add", "shop", "--scope", "read")
    assert len(read_keys(other)) == 1
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("add", "shop", "--scope", "root"), "'root' is not a scope"),
        (("add", "shop"), "Missing option '--scope'"),
        (("add", "", "--scope", "read"), "is not a name"),
        (("add", "shop", "--scope", "read", "--days", "0"), "Invalid value for '--days'"),
        (("add", "a", "--scope", "read", "--requests-per-second", "0"), "a number above 0"),
        (("add", "a", "--scope", "read", "--requests-per-second", "inf"), "a number above 0"),
        (("revoke", "0123abcd"), "there is no key file"),
    ],
)
def test_what_cannot_be_done_writes_nothing(
    keys: Shell, path: Path, arguments: tuple[str, ...], why: str
) -> None:
    out, err = keys(*arguments, code=2)
    assert why in err
    assert out == ""
    assert not path.exists()


def test_a_file_that_others_may_read_is_refused(keys: Shell, path: Path) -> None:
    keys("add", "shop", "--scope", "read")
    path.chmod(0o644)
    for arguments in (("list",), ("add", "x", "--scope", "read"), ("revoke", "0123abcd")):
        out, err = keys(*arguments, code=2)
        assert (out, err.count("\n")) == ("", 1)
        assert f"run `chmod 600 {path}`" in err
