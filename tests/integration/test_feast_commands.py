"""The `feast` command from our repository, as any Feast user types it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from feast_project import make_project, write_steps
from free_port import free_port
from programs import program

from lockstep.settings import Settings

FEAST = str(program("feast"))
DOWN = "redis://127.0.0.1:1/0"
_RANGE = ("2018-04-01T00:00:00", "2018-04-02T12:00:00")
# Those of which the project has tables.
_VIEWS = ("-v", "customer_windows", "-v", "terminal_windows")


def feast(project: Settings, *arguments: str, redis_url: str) -> subprocess.CompletedProcess[str]:
    """What the command says as a process of its own, in the repository."""
    return subprocess.run(
        [FEAST, *arguments],
        cwd=project.feature_repo_dir,
        env=os.environ | {"REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A project whose definitions were applied while Redis was down: nothing to delete there."""
    project = make_project(tmp_path_factory.mktemp("project"))
    done = feast(project, "apply", redis_url=DOWN)
    assert done.returncode == 0, done.stderr
    assert "Deploying infrastructure for" in done.stdout
    write_steps(project)
    return project


@pytest.fixture
def beside(
    applied: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Runs the command with `-c feature_repo` from the project's folder, in this process."""
    from feast.cli.cli import cli

    monkeypatch.chdir(applied.project_dir)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("REDIS_URL", redis_url)
    return lambda *arguments: CliRunner().invoke(cli, ["-c", "feature_repo", *arguments])


def test_materialize_in_the_repository_then_read_from_beside_it(
    applied: Settings, redis_url: str, beside: Callable[..., Result]
) -> None:
    done = feast(applied, "materialize", *_RANGE, *_VIEWS, redis_url=redis_url)
    assert done.returncode == 0, done.stderr
    assert re.search(r"100%.*2/2", done.stderr), "no progress was shown"
    assert beside("materialize-incremental", "2018-04-03T00:00:00", *_VIEWS).exit_code == 0
    views = beside("feature-views", "list").stdout
    listed = re.findall(r"^(\w+_windows) .*AVAILABLE_ONLINE", views, re.MULTILINE)
    assert sorted(listed) == ["customer_windows", "terminal_windows"]
    ask = ("-e", "customer_id=1", "-f", "customer_windows:customer_tx_count_1d")
    read = json.loads(beside("get-online-features", *ask).stdout)
    assert read == {"customer_id": [1], "customer_tx_count_1d": [20]}


def test_applying_again_from_beside_the_repository(beside: Callable[..., Result]) -> None:
    done = beside("apply")
    assert done.exit_code == 0, done.output


_EMPTY_RANGE = ("2010-04-01T00:00:00", "2010-04-02T00:00:00")
_READ = ("-e", "customer_id=1", "-f", "customer_windows:customer_tx_count_1d")


@pytest.mark.parametrize(
    ("arguments", "is_up", "message"),
    [
        (("materialize", *_RANGE, *_VIEWS), False, "run `lockstep redis start`"),
        (("get-online-features", *_READ), False, "run `lockstep redis start`"),
        (("materialize", *_EMPTY_RANGE, *_VIEWS), True, "nothing was written"),
        (("materialize", *_RANGE, "-v", "terminal_daily"), True, "run `lockstep build`"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_exit_code_2(
    applied: Settings, redis_url: str, arguments: tuple[str, ...], is_up: bool, message: str
) -> None:
    done = feast(applied, *arguments, redis_url=redis_url if is_up else DOWN)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (error,) = re.findall(r"^Error: .*$", done.stderr, re.MULTILINE)
    assert message in error


def test_the_ui_answers_and_lists_our_views(applied: Settings) -> None:
    port = free_port()
    ui = subprocess.Popen(
        [FEAST, "ui", "--host", "127.0.0.1", "--port", str(port)],
        cwd=applied.feature_repo_dir,
        env=os.environ | {"REDIS_URL": DOWN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        page = get(f"http://127.0.0.1:{port}/", until=lambda: ui.poll() is not None)
        views = get(f"http://127.0.0.1:{port}/api/v1/feature_views?project=lockstep")
    finally:
        ui.terminate()
        ui.wait(20)
    assert b"<title>" in page
    names = {view["spec"]["name"] for view in json.loads(views)["featureViews"]}
    assert names >= {"customer_windows", "terminal_windows"}


def get(url: str, *, until: Callable[[], bool] = lambda: False) -> bytes:
    """The body at `url`, once something answers there; `until` says that nothing will."""
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                body: bytes = response.read()
                return body
        except urllib.error.URLError:
            if until() or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
