"""Training from a real lake, through Feast, into a real registry."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from feast_project import apply_definitions, make_project
from fraud_project import START, Project, fill_lake, train_small, training_rows
from typer.testing import CliRunner

from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.cli.main import app
from lockstep.contract.clock import SystemClock
from lockstep.contract.model_artefact import CHAMPION, ModelArtefact
from lockstep.contract.model_registry import model_registry
from lockstep.errors import LockstepError
from lockstep.jobs.build import build
from lockstep.lake.lake import Lake
from lockstep.settings import Settings


def labelled(project: Project) -> pl.DataFrame:
    """All transactions, whose labels are known by then."""
    from training.fraud import labelled_transactions

    return labelled_transactions(Lake.at(project.settings.lake), datetime(2018, 6, 1, tzinfo=UTC))


def test_the_folds_are_in_time_order_and_the_labels_before_the_test(project: Project) -> None:
    folds = project.training.folds
    assert list(folds) == ["train", "validation", "test"]
    assert folds["train"]["to"] < folds["validation"]["from"]
    assert folds["train"]["labels_known_by"] < folds["validation"]["from"]
    assert folds["validation"]["labels_known_by"] < folds["test"]["from"]


def test_the_model_beats_chance_on_the_test(project: Project) -> None:
    metrics = project.training.metrics
    assert metrics["roc_auc"].value > 0.6
    assert metrics["average_precision"].value > 1.5 * metrics["base_rate"].value
    assert set(metrics) == {
        "roc_auc",
        "average_precision",
        "recall_at_5_percent_wrong_blocks",
        "precision",
        "recall",
        "f1",
        "f1_5",
        "brier",
        "saved_cost_share",
        "card_precision_at_100",
        "card_recall_at_100",
        "base_rate",
    }
    for name, interval in metrics.items():
        assert interval.low <= interval.value <= interval.high, name


def test_the_champion_carries_service_order_and_threshold(project: Project) -> None:
    from mlflow.models import Model

    from feature_repo.definitions.fraud import fraud_v1
    from training.dataset import feature_names

    with model_registry(project.settings.tracking_uri) as client:
        champion = client.get_model_version_by_alias("fraud", CHAMPION)
        folder = client.get_model_version_download_uri("fraud", champion.version)
    metadata = Model.load(folder.removeprefix("file://")).metadata or {}
    artefact = ModelArtefact.from_metadata(metadata)
    assert artefact.feature_service == "fraud_v1"
    assert artefact.feature_order == feature_names(fraud_v1)
    assert artefact.threshold == project.training.threshold
    newest = project.transactions["event_timestamp"].max()
    assert artefact.trained_as_of == newest + timedelta(days=7, microseconds=2)
    assert metadata["folds"] == project.training.folds


def test_the_run_has_parameters_and_metrics(project: Project) -> None:
    with model_registry(project.settings.tracking_uri) as client:
        run = client.get_run(project.training.registered.run_id)
    assert run.data.params["seed"] == "0"
    assert run.data.params["target_rule"] == "lowest declared cost on the validation fold"
    assert run.data.metrics["test_roc_auc"] == project.training.metrics["roc_auc"].value
    assert run.data.tags["feature_service"] == "fraud_v1"


def test_features_are_those_known_before_each_transaction(project: Project) -> None:
    """The joined counts equal a count over the raw transactions with t < T < t + w."""
    sample = labelled(project).sample(50, seed=0).sort("event_timestamp", "transaction_id")
    day = timedelta(days=1)
    for row in training_rows(project.settings, sample).rows.iter_rows(named=True):
        t, customer = row["event_timestamp"], row["customer_id"]
        earlier = project.transactions.filter(
            pl.col("customer_id") == customer,
            pl.col("event_timestamp").is_between(t - 7 * day, t, closed="none"),
        )
        assert (row["customer_tx_count_7d"] or 0) == earlier.height
        assert row["tx_count_7d"] == earlier.height + 1


def test_the_same_rows_and_seed_give_the_same_model(project: Project, untrained: Settings) -> None:
    again = train_small(untrained)
    assert again.metrics == project.training.metrics
    assert again.threshold == project.training.threshold


def test_an_instant_before_any_verdict_is_a_clear_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = _train(project.settings, monkeypatch, "--as-of", "2018-04-05")
    assert result == "no label of 'fraud' was known at 2018-04-05T00:00:00+00:00"


def test_too_long_a_test_is_a_clear_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = _train(project.settings, monkeypatch, "--test-days", "44")
    assert message.startswith("the training rows are empty: no label was known before the test")


def test_another_zone_is_a_clear_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    message = _train(project.settings, monkeypatch, "--as-of", "2018-05-01T00:00:00+03:00")
    assert message == "--as-of '2018-05-01T00:00:00+03:00' is not UTC"


def test_an_unknown_use_case_is_a_clear_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = _train(project.settings, monkeypatch, use_case="frauds")
    assert message.startswith("there is no use case 'frauds'; known are [")
    assert "'fraud'" in message


def test_a_table_that_is_behind_the_labels_is_refused(
    untrained: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(
        Lake.at(untrained.lake),
        WINDOW_SPECS,
        end=START + timedelta(days=20),
        clock=SystemClock(),
        progress=lambda what, share: None,
    )
    message = _train(untrained, monkeypatch)
    assert re.match(r"the table of '\w+' is exact before 2018-04-21T00:00:00", message)
    assert not (untrained.home_dir / "mlflow.db").exists()


def test_an_empty_project_says_what_to_do_at_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_project(tmp_path / "new")
    assert "has no day partitions" in _train(settings, monkeypatch)
    fill_lake(settings)
    assert _train(settings, monkeypatch) == (
        "the feature registry has no feature service 'fraud_v1'"
    )
    assert not (settings.home_dir / "mlflow.db").exists()
    apply_definitions(settings)
    assert train_small(settings).registered.version == 1


def test_a_damaged_feature_registry_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_project(tmp_path / "damaged")
    fill_lake(settings)
    registry = settings.home_dir / "registry.db"
    registry.write_text("no registry")
    assert _train(settings, monkeypatch).startswith("the feature registry cannot be read")
    assert registry.read_text() == "no registry"


def test_the_command_prints_the_folds_and_the_metrics(
    untrained: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _enter(untrained, monkeypatch)
    result = CliRunner().invoke(app, ["train", "fraud", "--iterations", "5", "--seed", "3"])
    assert result.exit_code == 0, result.output
    assert "model fraud version" in result.output
    assert "average_precision" in result.output
    assert "2018-" in result.output


def test_predictions_of_the_registered_model_are_probabilities(project: Project) -> None:
    from lockstep.contract.registered_model import load_model

    predictor = load_model(project.settings.tracking_uri, "fraud").predictor
    rows = training_rows(project.settings, labelled(project).tail(200)).rows
    scores = predictor.scores(rows.select(predictor.artefact.feature_order).to_dict())
    assert len(scores) == 200
    assert ((scores > 0) & (scores < 1)).all()


def _enter(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(settings.project_dir))


def _train(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *options: str, use_case: str = "fraud"
) -> str:
    """The problem that `lockstep train` ends with."""
    _enter(settings, monkeypatch)
    result = CliRunner().invoke(app, ["train", use_case, *options])
    assert isinstance(result.exception, LockstepError), result.output
    return result.exception.problem
