"""What a command cannot do is one line on stderr and exit code 2."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lockstep.cli.main import main


def refused(
    *arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """What `lockstep` writes to stderr as it exits with 2."""
    monkeypatch.setattr(sys, "argv", ["lockstep", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"), [("SERVING_PORT", "abc"), ("SERVING_MAX_BODY_BYTES", "0")]
)
def test_a_setting_that_is_wrong_is_named(
    name: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    error = refused("serve", capsys=capsys, monkeypatch=monkeypatch)
    field = name.removeprefix("SERVING_").lower()
    assert error.startswith(f"lockstep: ServingSettings cannot be used ({field} is {value!r}: ")
    assert error.count("\n") == 1


def test_a_home_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("LOCKSTEP_HOME", str(tmp_path / "file" / "home"))
    small = ("--customers", "20", "--terminals", "300", "--days", "5")
    error = refused("generate", "fraud", *small, capsys=capsys, monkeypatch=monkeypatch)
    last = error.splitlines()[-1]
    assert last.startswith("lockstep: [Errno ")
    assert last.endswith("; check the path and its permissions")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--test-days", "0"),
        ("--test-days", "3651"),
        ("--train-days", "0"),
        ("--train-days", "3651"),
        ("--seed", "-1"),
        ("--seed", str(2**31)),
    ],
)
def test_an_option_of_train_out_of_range_is_a_usage_error(
    option: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused("train", "fraud", option, value, capsys=capsys, monkeypatch=monkeypatch)
    assert f"Invalid value for '{option}'" in error
