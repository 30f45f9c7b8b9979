"""One platform that is watched, for all tests of its panels."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
# Small projects, and the dashboards' code.
sys.path += [str(TESTS / "integration"), str(TESTS.parent / "compose" / "monitoring" / "grafana")]

from watched_platform import Watched, watched_platform  # noqa: E402


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Served, asked and scraped for as long as the tests of one file run."""
    with watched_platform(tmp_path_factory.mktemp("watched")) as platform:
        yield platform


@pytest.fixture(scope="session")
def monitoring_page() -> str:
    """docs/monitoring.md."""
    return (TESTS.parent / "docs" / "monitoring.md").read_text()
