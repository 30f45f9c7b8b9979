"""Every command of every page is run by a test, or says what it needs."""

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
OUTSIDE = (
    "docker",
    "kubectl",
    "airflow ",
    "k8s/deploy",
    "k8s/overlays/local/make-secrets",
    "make up",
    "make smoke",
    "make down",
)
NEEDS = re.compile(r"needs? (a cluster|Airflow|Docker)", re.IGNORECASE)
_BLOCK = re.compile(r"```(?:console|sh|bash)\n(.*?)```", re.DOTALL)
_UNMARKED = re.compile(r"```\n(\$ )?(lockstep|feast|make|python|airflow|kubectl|docker) ")
# Pages whose blocks are run as they stand there, and by what.
RUN = {
    "README": "docs/test_readme.py",
    "getting_started": "docs/test_getting_started.py",
    "use_case": "docs/test_use_case.py",
    "erasure": "docs/test_erasure_page.py",
} | dict.fromkeys(
    ("market", "property", "scoring", "serving", "training"), "docs/test_page_commands.py"
)
RUN |= dict.fromkeys(("clicks", "results"), "docs/test_page_results.py")
# Lines of other pages: what runs them, on a lake, at a port or in a folder of its own, and words
# that stand there.
RUN_ELSEWHERE = {
    "airflow/make-environment": ("ops/airflow/airflow_process.py", ["make-environment"]),
    "RECORD=1 python -m pytest tests/ops/airflow/test_dags.py": (
        "ops/airflow/test_schedules_page.py",
        ["RECORD=1"],
    ),
    ".venv/bin/python tests/conformance/matrix_page.py": (
        "conformance/test_matrix.py",
        ["write_page("],
    ),
    "export LOCKSTEP_LAKE=s3://company-lake/lake": (
        "integration/test_s3_lake.py",
        ["LOCKSTEP_LAKE"],
    ),
    "lockstep lake check": ("integration/test_s3_lake.py", ['"lake", "check"']),
    "lockstep build fraud --engine spark": (
        "integration/test_real_spark.py",
        ['"build", "fraud", "--engine", "spark"'],
    ),
    "lockstep audit fraud --html audit.html": (
        "integration/test_audit_command.py",
        ['["audit", "fraud", *arguments]', 'run("--html"'],
    ),
    "lockstep audit fraud --online 1000": (
        "integration/test_audit_command.py",
        ['["audit", "fraud", *arguments]', 'run("--online", '],
    ),
    "lockstep drift fraud --html drift.html": (
        "integration/test_drift_command.py",
        ['["drift", "fraud", *arguments]', 'run("--html"'],
    ),
    "feast ui --host 127.0.0.1 --port 8888": (
        "integration/test_feast_ui.py",
        ['"ui", "--host", "127.0.0.1", "--port"'],
    ),
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


def check(line: str, before: str, page: str) -> None:
    """Returns where a test runs the line, or a reader is told what it needs.

    Raises:
        AssertionError, ClickException: it is no command, or does not say what it needs.
    """
    program, *words = shlex.split(re.sub(r"\s[<>|&].*|&&.*", "", line.strip("()")))
    if program == "lockstep" and words[-1:] != ["--help"]:
        lockstep(words)
    if program == "make":
        targets = [word for word in words if "=" not in word]
        makefile = (ROOT / "Makefile").read_text()
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), line
    if line.startswith(OUTSIDE) or "date -u" in line:
        near = "\n".join(before.splitlines()[-12:])
        assert NEEDS.search(near) or "without a cluster" in near, f"{line}: needs what?"
    else:
        assert page in RUN or line in RUN_ELSEWHERE, f"{line} is run by no test"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_there_or_say_what_they_need(page: Path) -> None:
    for line, before in commands(page.read_text()):
        check(line, before, page.stem)
    assert not _UNMARKED.search(page.read_text()), "a block of commands says that it is `console`"


@pytest.mark.parametrize(
    "wrong",
    [
        "lockstep biuld fraud",
        "lockstep build fraud --begin 2018-04-01",
        "make everything",
        "kubectl get pods",
        "frobnicate",
        "lockstep build fraud",
        "make up",
    ],
)
def test_a_planted_mistake_is_found(wrong: str) -> None:
    with pytest.raises(Exception, match="No such|Missing|needs what|run by no test|everything"):
        check(wrong, "It is said elsewhere.", "windows")


@pytest.mark.parametrize("page", RUN)
def test_pages_that_are_run_have_their_test(page: str) -> None:
    assert page in {path.stem for path in PAGES}
    test = (ROOT / "tests" / RUN[page]).read_text()
    assert f'"{page}"' in test or f"{page}.md" in test


@pytest.mark.parametrize("line", RUN_ELSEWHERE)
def test_what_runs_a_line_has_its_words(line: str) -> None:
    assert any(line in page.read_text() for page in PAGES)
    test, words = RUN_ELSEWHERE[line]
    text = (ROOT / "tests" / test).read_text()
    assert [word for word in words if word not in text] == []


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
