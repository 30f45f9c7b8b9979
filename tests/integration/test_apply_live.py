"""`lockstep apply` is `feast apply`, and refuses to edit in place what a live model reads."""

from __future__ import annotations

from datetime import timedelta

import pytest
from feast import FeatureStore
from fraud_project import train_small
from typer.testing import CliRunner

from feature_repo.definitions import fraud
from lockstep.cli.main import app
from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.model_registry import model_registry
from lockstep.settings import Settings
from serving.live_models import LiveModelError, broken_models


@pytest.fixture
def live(untrained: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project with a champion, in which the command runs."""
    train_small(untrained)
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(untrained.project_dir))
    return untrained


@pytest.fixture
def edited(live: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of a view in place, after training: other values than the champion's."""
    monkeypatch.setattr(fraud.terminal_windows, "ttl", timedelta(days=3))


def test_what_is_unchanged_is_applied(live: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    assert broken_models(live) == []
    result = CliRunner().invoke(app, ["apply"])
    assert result.exit_code == 0, result.output
    store = FeatureStore(repo_path=str(live.feature_repo_dir))
    assert "terminal_windows" in {view.name for view in store.list_feature_views()}


@pytest.mark.usefixtures("edited")
def test_an_edit_of_what_a_live_model_reads_is_refused(live: Settings) -> None:
    store = FeatureStore(repo_path=str(live.feature_repo_dir))
    before = store.get_feature_view("terminal_windows").ttl
    result = CliRunner().invoke(app, ["apply"])
    assert isinstance(result.exception, LiveModelError)
    told = str(result.exception)
    assert told.count("'fraud' version 1 reads 'fraud_v1', where terminal_windows changed") == 1
    assert "refused: champion and challenger 'fraud' version 1" in told
    assert "define terminal_windows_v2" in told
    store.refresh_registry()
    assert store.get_feature_view("terminal_windows").ttl == before


@pytest.mark.usefixtures("edited")
def test_without_a_live_model_anything_may_be_applied(live: Settings) -> None:
    assert [model.aliases for model in broken_models(live)] == [("champion", "challenger")]
    with model_registry(live.tracking_uri) as registry:
        for alias in (CHAMPION, CHALLENGER):
            registry.delete_registered_model_alias("fraud", alias)
    assert broken_models(live) == []


@pytest.mark.usefixtures("edited")
def test_each_live_version_is_named_once(live: Settings) -> None:
    assert [model.version for model in broken_models(live)] == [1]
    train_small(live)
    told = [(model.version, model.aliases) for model in broken_models(live)]
    assert told == [(1, ("champion",)), (2, ("challenger",))]


@pytest.mark.usefixtures("edited")
def test_force_applies_and_says_what_it_breaks(live: Settings) -> None:
    result = CliRunner().invoke(app, ["apply", "--force"])
    assert result.exit_code == 0, result.output
    assert "applied by force: live models would be refused" in result.stderr


def test_a_view_that_no_model_reads_may_change(
    live: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fraud.terminal_profile, "ttl", timedelta(days=3))
    monkeypatch.setattr(fraud.customer_windows, "description", "in other words")
    assert broken_models(live) == []
