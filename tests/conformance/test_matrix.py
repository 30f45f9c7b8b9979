"""Ours passes every case, and docs/conformance.md says of every store what it really does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from matrix_case import PASS, Case
from matrix_page import PAGE, between, page, tables, versions, write_page
from matrix_peers import LOCKSTEP
from matrix_worker import SECTIONS, Outcomes

pytestmark = pytest.mark.timeout(900)

CASES = [
    pytest.param(section, case, id=f"{section}: {case.name}")
    for section, (_, cases) in SECTIONS.items()
    for case in cases
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the page, for the command to write."""
    return Path(shutil.copy(PAGE, tmp_path_factory.mktemp("docs")))


@pytest.fixture(scope="module")
def outcomes(written: Path) -> Outcomes:
    """Every case over every store, in processes of every time zone."""
    return write_page(written)


@pytest.mark.parametrize(("section", "case"), CASES)
def test_ours_passes(outcomes: Outcomes, section: str, case: Case) -> None:
    assert outcomes[section][case.name][LOCKSTEP] == PASS, case.checks


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_says_what_the_stores_do(outcomes: Outcomes, section: str) -> None:
    assert between(section, tables(outcomes)[section]) in PAGE.read_text(), (
        "run `python tests/conformance/matrix_page.py`"
    )


def test_the_page_names_the_versions() -> None:
    assert between("versions", versions()) in PAGE.read_text()


@pytest.mark.usefixtures("outcomes")
def test_the_command_writes_the_page_that_there_is(written: Path) -> None:
    assert written.read_text() == PAGE.read_text()


def test_the_command_replaces_the_matrix_and_nothing_else(outcomes: Outcomes) -> None:
    names = (*SECTIONS, "versions")
    stale = "\n".join(f"By hand.\n{between(name, 'STALE')}" for name in names)
    fresh = page(outcomes, stale)
    assert fresh.count("By hand.") == len(names)
    assert "STALE" not in fresh
    assert page(outcomes, fresh) == fresh
