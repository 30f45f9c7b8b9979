"""A training that is run again, as a schedule does after a failure, gives no second version."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from lockstep.cli.main import app
from lockstep.contract.model_artefact import CHALLENGER
from lockstep.contract.model_registry import model_registry
from lockstep.settings import Settings

OPTIONS = ("--iterations", "5", "--once")


@pytest.fixture
def project(untrained: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(untrained.project_dir))
    return untrained


def run(*arguments: str) -> Result:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def aliases(settings: Settings) -> dict[str, int]:
    with model_registry(settings.tracking_uri) as client:
        (model,) = client.search_registered_models()
        return {alias: int(version) for alias, version in model.aliases.items()}


def test_the_same_rows_and_options_are_fitted_once(project: Settings) -> None:
    run("train", "fraud", *OPTIONS)
    again = run("train", "fraud", *OPTIONS)
    assert "nothing to do: version 1 of 'fraud' was made of the same rows" in again.output
    assert aliases(project) == {"champion": 1, "challenger": 1}
    # Other options give another model; and without --once the same gives one again.
    run("train", "fraud", *OPTIONS, "--seed", "1")
    assert aliases(project) == {"champion": 1, "challenger": 2}
    run("train", "fraud", "--iterations", "5")
    assert aliases(project) == {"champion": 1, "challenger": 3}
    # An older one that is asked for again takes no alias from a newer one.
    run("train", "fraud", *OPTIONS, "--seed", "1")
    assert aliases(project) == {"champion": 1, "challenger": 3}
    shown = run("evaluate", "fraud", "--challenger").output
    assert "model fraud version 3 on" in shown
    assert "model fraud version 1 on" in run("evaluate", "fraud").output


def test_a_version_that_was_left_without_its_alias_gets_it(project: Settings) -> None:
    run("train", "fraud", *OPTIONS)
    run("train", "fraud", *OPTIONS, "--seed", "1")
    with model_registry(project.tracking_uri) as client:
        client.set_registered_model_alias("fraud", CHALLENGER, "1")
    run("train", "fraud", *OPTIONS, "--seed", "1")
    assert aliases(project)["challenger"] == 2


def test_the_challenger_is_one_version(project: Settings) -> None:
    result = CliRunner().invoke(app, ["evaluate", "fraud", "--challenger", "--version", "1"])
    assert result.exit_code == 2
    assert "it names another version" in result.output
