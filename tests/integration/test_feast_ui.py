"""The Feast UI shows what was applied, in a real browser: views, services, sources and lineage."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_page import chromium
from feast_project import apply_definitions, make_project, write_steps
from free_port import free_port
from playwright.sync_api import Page, expect
from programs import program

_READY_SECONDS, _PAGE_MS = 120, 90_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`feast ui` over a project of its own."""
    settings = make_project(tmp_path_factory.mktemp("ui"))
    write_steps(settings)
    apply_definitions(settings)
    port = free_port()
    feast = str(program("feast"))
    command = [feast, "ui", "--host", "127.0.0.1", "--port", str(port)]
    log = settings.project_dir / "ui.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=settings.feature_repo_dir, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait(f"http://127.0.0.1:{port}/", process, log)
        yield f"http://127.0.0.1:{port}/p/lockstep"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except urllib.error.URLError:
            time.sleep(0.2)
        else:
            return


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


def shows(page: Page, url: str, *texts: str) -> None:
    """Returns once the page shows all of them."""
    page.goto(url, timeout=_PAGE_MS)
    for text in texts:
        expect(page.locator("body")).to_contain_text(text, timeout=_PAGE_MS)


@pytest.mark.timeout(600)
def test_the_registry_can_be_browsed(address: str, page: Page) -> None:
    views = ("customer_windows", "terminal_windows", "transaction_features")
    shows(page, f"{address}/feature-view", *views)
    shows(
        page,
        f"{address}/feature-view/customer_windows",
        *("customer_tx_count_1d", "customer_amount_cents_mean_30d", "max_age_seconds", "fraud_v1"),
        "A card's transactions over the last 1, 7 and 30 days; amounts in cents.",
    )
    shows(
        page,
        f"{address}/feature-service/fraud_v1",
        *("customer_windows", "terminal_fraud_rate_7d", "tx_amount_to_mean_30d"),
    )
    # The plug-in's own sources: a table of steps, by its place in the lake.
    shows(page, f"{address}/data-source", "customer_windows_steps", "terminal_windows_steps")
    source = f"{address}/data-source/customer_windows_steps"
    shows(page, source, "BATCH_FILE", "fraud/customer_windows")
    shows(page, f"{address}/entity", "customer", "terminal")
    shows(page, f"{address}/lineage", "Legend", "customer_windows", "fraud_v1")
