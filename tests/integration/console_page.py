"""The console in a real browser: what a person does there, and what it shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fraud_project import Project, materialize
from playwright.sync_api import Browser, Page, sync_playwright
from serving_client import END, GOOD

from lockstep.cli.demo_parts.api import Api, serving
from lockstep.stores.embedded_redis import embedded_redis

AT = {**GOOD, "event_timestamp": "2018-05-11T02:00:00Z"}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@contextmanager
def served_console(project: Project, folder: Path) -> Iterator[Api]:
    """`lockstep serve` over the project, materialised up to END; keys and log are in `folder`."""
    with embedded_redis() as url, pytest.MonkeyPatch.context() as environment:
        materialize(project.settings, url, END)
        environment.setenv("LOCKSTEP_PROJECT_DIR", str(project.settings.project_dir))
        environment.setenv("REDIS_URL", url)
        environment.setenv("SERVING_KEYS_FILE", str(folder / "api_keys.json"))
        environment.setenv("SERVING_LOG_SHARE", "0")
        with serving(folder / "serve.log") as running:
            running.wait_until_ready()
            yield running


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; without it the test is skipped."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Console:
    """The page, and what the browser told while it was open."""

    page: Page
    api: Api
    errors: list[str] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.api.port}"

    def open(self) -> None:
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console", lambda said: self.errors.append(said.text) if said.type == "error" else None
        )
        self.page.on("request", lambda request: self.asked.append(request))
        self.page.goto(f"{self.origin}/")
        self.page.get_by_label("Use case").select_option("fraud")

    def fill(self, **values: Any) -> None:
        for name, value in values.items():
            self.page.get_by_label(name).fill(str(value))

    def score(self, **values: Any) -> None:
        self.page.get_by_label("API key").fill(self.api.key)
        self.fill(**values)
        self.page.get_by_role("button", name="Score").click()

    def ask(self, action: str, **body: Any) -> dict[str, Any]:
        """What the API itself answers."""
        (answer,) = self.api.post(f"/v1/fraud/{action}", [body])
        return answer

    def number(self, selector: str) -> float:
        shown = self.page.locator(selector).locator("data").first.get_attribute("value")
        assert shown is not None
        return float(shown)

    def bodies(self, action: str) -> list[str]:
        return [r.post_data for r in self.asked if r.url.endswith(f"/v1/fraud/{action}")]


def stored_features(console: Console, body: dict[str, Any]) -> dict[str, Any]:
    asked = {name: body[name] for name in ("customer_id", "terminal_id", "event_timestamp")}
    features: dict[str, Any] = console.ask("features", **asked)["features"]
    return features


_CELLS = """rows => rows.map(row => [
  row.dataset.feature,
  ...["value", "age"].map(kind => row.querySelector(`.${kind} data`)?.value ?? null),
  ...["status", "view"].map(kind => row.querySelector(`.${kind}`).textContent),
])"""


def shown_rows(page: Page) -> dict[str, tuple[Any, ...]]:
    """Value, status, age and view of each feature that the page shows."""
    cells = page.locator("#features tbody tr").evaluate_all(_CELLS)
    return {
        name: (value and float(value), status, age and float(age), view)
        for name, value, age, status, view in cells
    }


def shown_reasons(page: Page) -> list[tuple[str, str, float]]:
    found = page.locator("#reasons li").evaluate_all(
        "items => items.map(item => [item.dataset.feature, item.querySelector('p').textContent,"
        " item.querySelector('data').value])"
    )
    return [(feature, words, float(value)) for feature, words, value in found]
