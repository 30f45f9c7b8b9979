"""The demo clears away what it made, in its home and in its lake, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.cli.demo_parts.prepare import prepare
from lockstep.cli.errors import DemoError
from lockstep.lake.lake import Lake


def test_what_the_demo_made_is_cleared_away(lake: Lake, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for _ in range(2):
        prepare(home, lake)
        assert [path.name for path in home.iterdir()] == ["made-by-the-demo"]
        assert lake.list("") == ["made-by-the-demo"]
        (home / "mlflow.db").touch()
        lake.write_bytes("fraud/x", b"")


def test_a_lake_in_the_home_goes_with_it(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "home" / "lake")
    for _ in range(2):
        prepare(tmp_path / "home", lake)
        assert lake.list("") == ["made-by-the-demo"]
        lake.write_bytes("fraud/x", b"")


def test_what_others_made_is_left_alone(lake: Lake, tmp_path: Path) -> None:
    home = tmp_path / "home"
    lake.write_bytes("fraud/x", b"")
    with pytest.raises(DemoError, match=rf"{lake.uri} holds data that the demo did not make"):
        prepare(home, lake)
    assert lake.list("") == ["fraud/x"]
    lake.delete(["fraud/x"])
    home.mkdir()
    (home / "thesis.txt").touch()
    with pytest.raises(DemoError, match=rf"{home} holds data that the demo did not make"):
        prepare(home, lake)
    assert (home / "thesis.txt").exists()
    assert lake.list("") == []
