"""Every command of every page is one that there is, or says what it needs."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from test_readme import ROOT

from lockstep.cli.main import app

PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
# What is not run anywhere here stands behind, or a few lines below, words that say so.
OUTSIDE = ("docker", "kubectl", "airflow", "k8s/deploy", "k8s/overlays/local/make-secrets")
NEEDS = re.compile(r"needs? (a cluster|Airflow|Docker)", re.IGNORECASE)
_BLOCK = re.compile(r"```(?:console|sh|bash)\n(.*?)```", re.DOTALL)
_SHELL = {
    "cd",
    "export",
    "openssl",
    "python",
    ".venv/bin/python",
    "curl",
    "feast",
    "cp",
    "RECORD=1",
}


def commands(page: str) -> list[tuple[str, str]]:
    """Each command without its remark, and the text before its block."""
    found = []
    for block in _BLOCK.finditer(page):
        text = block[1].replace("\\\n", " ")
        lines = [line.removeprefix("$ ") for line in text.splitlines()]
        told = [re.sub(r"\s+#.*", "", line).strip() for line in lines if line.strip()]
        found += [(line, page[: block.start()]) for line in told]
    return found


def lockstep(words: list[str]) -> None:
    """Returns where the command line takes that; runs nothing."""
    context = typer.main.get_command(app).make_context("lockstep", words)
    while hasattr(context.command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        _, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(command.name, rest, parent=context)


def check(line: str, before: str) -> None:
    """Returns where a reader can do what the line says.

    Raises:
        AssertionError, ClickException: it is no command, or does not say what it needs.
    """
    program, *words = shlex.split(re.sub(r"\s[<>|&].*|&&.*", "", line))
    if program == "lockstep":
        if words[-1:] != ["--help"]:
            lockstep(words)
    elif program == "make":
        targets = [word for word in words if "=" not in word]
        makefile = (ROOT / "Makefile").read_text()
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), line
    elif (ROOT / program).is_file() and program not in OUTSIDE:
        assert (ROOT / program).stat().st_mode & 0o100, line
    elif line.startswith(OUTSIDE) or "date -u" in line:
        near = "\n".join(before.splitlines()[-12:])
        assert NEEDS.search(near) or "without a cluster" in near, f"{line}: needs what?"
    else:
        assert program in _SHELL, f"{line} is run by no test"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_there_or_say_what_they_need(page: Path) -> None:
    for line, before in commands(page.read_text()):
        check(line, before)


@pytest.mark.parametrize(
    "wrong",
    [
        "lockstep biuld fraud",
        "lockstep build fraud --begin 2018-04-01",
        "make everything",
        "kubectl get pods",
        "frobnicate",
    ],
)
def test_a_planted_mistake_is_found(wrong: str) -> None:
    with pytest.raises(Exception, match="No such|Missing|needs what|run by no test|everything"):
        check(wrong, "It is said elsewhere.")


def test_links_lead_to_files() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def test_the_lists_of_commands_are_not_empty() -> None:
    assert sum(len(commands(page.read_text())) for page in PAGES) > 60
    assert subprocess.run(["make", "-n", "help"], cwd=ROOT, capture_output=True).returncode == 0
