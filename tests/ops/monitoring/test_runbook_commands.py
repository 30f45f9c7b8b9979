"""Commands that a runbook names are commands that there are, with the options that it gives."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer
from monitoring_files import ROOT

from lockstep.cli.main import app


def _commands() -> list[str]:
    """What runbooks and the page on monitoring say to run of ours."""
    pages = (ROOT / "docs" / f"{name}.md" for name in ("runbooks", "monitoring"))
    text = "".join(page.read_text() for page in pages)
    spans = re.findall(r"`(lockstep\s[a-z][^`]*)`", text)
    return sorted({" ".join(span.split()) for span in spans})


def _wrong(command: str) -> set[str]:
    """Words of a command that it does not have."""
    at: Any = typer.main.get_command(app)
    words = command.split()[1:]
    while words and hasattr(at, "commands"):
        name = words.pop(0)
        if name not in at.commands:
            return {name}
        at = at.commands[name]
    known = {option for parameter in at.params for option in parameter.opts}
    return {word for word in words if word.startswith("--")} - known


@pytest.mark.parametrize("command", _commands())
def test_a_command_of_a_runbook_is_one(command: str) -> None:
    assert _wrong(command) == set()


def test_a_planted_command_is_caught() -> None:
    assert _wrong("lockstep materialise UC") == {"materialise"}
    assert _wrong("lockstep build UC --begin S") == {"--begin"}
