"""From a challenger to a champion, and back: through the command line, in a real registry."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from feast_project import apply_definitions, make_project
from found_causes import audited
from fraud_project import Project, train_small
from typer.testing import CliRunner, Result

from feature_repo.store import open_feature_store
from lockstep.cli.main import app
from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.model_registry import model_registry
from lockstep.errors import LockstepError
from lockstep.lake.lake import Lake
from lockstep.parity.audit_result import write_audit
from lockstep.settings import Settings
from training import promotion_lock
from training.errors import PromotionError


@pytest.fixture(scope="module")
def trained_twice(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_project(tmp_path_factory.mktemp("twice"))
    project.copy_lake(settings)
    apply_definitions(settings)
    assert [train_small(settings).registered.is_champion for _ in range(2)] == [True, False]
    return settings


@pytest.fixture
def two_models(trained_twice: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Version 1, the champion, and its challenger 2, which is the same model again."""
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(trained_twice.project_dir))
    with model_registry(trained_twice.tracking_uri) as client:
        for version, alias in (("1", CHAMPION), ("2", CHALLENGER)):
            client.set_registered_model_alias("fraud", alias, version)
            for tag in client.get_model_version("fraud", version).tags:
                client.delete_model_version_tag("fraud", version, tag)
    return trained_twice


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))


def champion(settings: Settings) -> int:
    with model_registry(settings.tracking_uri) as client:
        return int(client.get_model_version_by_alias("fraud", CHAMPION).version)


def tags(settings: Settings, version: int) -> dict[str, str]:
    with model_registry(settings.tracking_uri) as client:
        return dict(client.get_model_version("fraud", str(version)).tags)


def test_a_challenger_that_is_no_better_is_refused_and_the_evidence_kept(
    two_models: Settings,
) -> None:
    result = run("promote", "fraud")
    assert result.exit_code == 3, result.output
    assert "Refused: version 1 stays champion." in result.output
    assert "average_precision gain above 0" in result.output
    assert champion(two_models) == 1
    found = tags(two_models, 2)
    assert found["promotion"] == "refused"
    assert "+0.0000" in json.loads(found["evidence"])["average_precision gain above 0"]
    with model_registry(two_models.tracking_uri) as client:
        run_id = client.get_model_version("fraud", "2").run_id
        evidence = json.loads(
            Path(client.download_artifacts(run_id, "promotion/2.json")).read_text()
        )
    assert (evidence["champion"], evidence["challenger"]) == (1, 2)
    assert not evidence["is_promoted"]


def test_force_leaves_its_trace_and_a_rollback_takes_it_back(two_models: Settings) -> None:
    forced = run("promote", "fraud", "--force")
    assert forced.exit_code == 0, forced.output
    assert "Version 2 is champion by --force." in forced.output
    assert champion(two_models) == 2
    assert tags(two_models, 2)["promotion"] == "forced"
    back = run("promote", "fraud", "--rollback")
    assert back.exit_code == 0, back.output
    assert "Version 1 is champion again, in place of 2." in back.output
    assert champion(two_models) == 1
    assert "rolled_back" in tags(two_models, 2)
    with pytest.raises(PromotionError, match="had no champion before this one"):
        raise _error(run("promote", "fraud", "--rollback"))


def test_a_margin_below_zero_lets_an_equal_one_through(two_models: Settings) -> None:
    result = run("promote", "fraud", "--margin", "-0.5")
    assert result.exit_code == 0, result.output
    assert tags(two_models, 2)["promotion"] == "promoted"
    assert tags(two_models, 2)["previous_champion"] == "1"


def test_the_champion_is_no_challenger(two_models: Settings) -> None:
    result = run("promote", "fraud", "--version", "1")
    assert result.exit_code == 0, result.output
    assert "nothing to do: version 1 of model 'fraud' is the champion already" in result.output
    assert champion(two_models) == 1


def test_days_that_a_fit_knew_are_refused(two_models: Settings) -> None:
    with pytest.raises(PromotionError, match=r"version 1 of model 'fraud' knew labels up to"):
        raise _error(run("promote", "fraud", "--test-days", "30"))
    assert champion(two_models) == 1


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(two_models: Settings) -> None:
    from training.promote import roll_back
    from training.use_case import load_use_case

    run("promote", "fraud", "--force")

    def attempt(_: int) -> object:
        try:
            return roll_back(two_models, load_use_case("fraud"))
        except PromotionError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(attempt, range(4)))
    assert outcomes.count((2, 1)) == 1
    assert sum(isinstance(outcome, PromotionError) for outcome in outcomes) == 3
    assert champion(two_models) == 1


def test_a_promotion_that_died_does_not_stop_the_next(
    two_models: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with model_registry(two_models.tracking_uri) as client:
        client.create_registered_model("fraud.promotion-under-way")
    with pytest.raises(PromotionError, match="under way since"):
        raise _error(run("promote", "fraud"))
    monkeypatch.setattr(promotion_lock, "_DEAD_SECONDS", 0.0)
    assert run("promote", "fraud").exit_code == 3


def test_a_model_is_evaluated_on_days_after_its_fit(two_models: Settings) -> None:
    result = run("evaluate", "fraud", "--version", "2")
    assert result.exit_code == 0, result.output
    assert "model fraud version 2 on" in result.output
    assert "fraud: terminal compromised" in result.output


def test_a_search_logs_its_trials_and_goes_on(two_models: Settings) -> None:
    log = two_models.home_dir / "search" / "fraud.jsonl"
    first = run("train", "fraud", "--search", "2", "--iterations", "10")
    assert first.exit_code == 0, first.output
    before = log.read_text()
    assert run("train", "fraud", "--search", "3", "--iterations", "10").exit_code == 0
    assert log.read_text().startswith(before)
    with model_registry(two_models.tracking_uri) as client:
        version = client.get_registered_model("fraud").aliases["challenger"]
        run_id = client.get_model_version("fraud", version).run_id
        parent = client.get_run(run_id)
        trials = client.search_runs(
            [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'"
        )
    assert len(trials) == 3
    assert parent.data.params["search_trials"] == "3"
    best = max(trials, key=lambda trial: trial.data.metrics["average_precision"])
    assert float(parent.data.params["depth"]) == float(best.data.params["depth"])


def test_a_backtest_judges_each_start(two_models: Settings) -> None:
    starts = ("--start", "2018-04-15", "--start", "2018-04-16")
    few = ("--iterations", "10", "--seeds", "2", "--validation-folds", "1")
    result = run("backtest", "fraud", *starts, *few)
    assert result.exit_code == 0, result.output
    assert result.output.count("2018-04-15") >= 2
    assert "mean" in result.output


def test_a_backtest_past_the_data_is_refused(two_models: Settings) -> None:
    for folds, since in (("1", "2018-04-20"), ("4", "2018-03-30")):
        with pytest.raises(LockstepError, match=f"--start needs labelled rows from {since}"):
            late = ("--start", "2018-05-04", "--validation-folds", folds)
            raise _error(run("backtest", "fraud", *late))


def _error(result: Result) -> BaseException:
    assert result.exception is not None, result.output
    return result.exception


@pytest.mark.parametrize(
    ("found", "budget", "told"),
    [
        ({"MATCH": 99, "UNEXPLAINED": 1}, (), "1 vectors differ without a cause"),
        ({"MATCH": 99, "MISSING_ENTITY": 1}, (), "1 vectors have a fault"),
        ({"DEFINITION_VERSION": 9}, (), "nothing was compared"),
        ({"MATCH": 90, "NOT_YET_MATERIALISED": 10}, ("--max-stale", "0.05"), "10.00% of the"),
    ],
)
def test_what_the_last_audit_refuses_is_not_promoted(
    two_models: Settings, found: dict[str, int], budget: tuple[str, ...], told: str
) -> None:
    lake = Lake.at(two_models.lake)
    key = write_audit(lake, audited(**found))
    try:
        refused = run("promote", "fraud", "--margin", "-1", "--test-days", "2", *budget)
    finally:
        lake.delete([key])
    assert refused.exit_code == 3, refused.output
    assert champion(two_models) == 1
    evidence = json.loads(tags(two_models, 2)["evidence"])
    assert evidence["parity"].startswith(told)


def test_staleness_within_the_budget_of_the_services_is_promoted(two_models: Settings) -> None:
    store = open_feature_store(two_models)
    service = store.get_feature_service("fraud_v1")
    lake = Lake.at(two_models.lake)
    key = write_audit(lake, audited(MATCH=90, NOT_YET_MATERIALISED=10))
    outcomes = []
    try:
        for share in ("0.05", "0.2"):
            service.tags["max_stale_share"] = share
            store.apply([service])
            run("promote", "fraud", "--margin", "-1", "--test-days", "2")
            outcomes.append(json.loads(tags(two_models, 2)["evidence"])["parity"])
    finally:
        lake.delete([key])
        del service.tags["max_stale_share"]
        store.apply([service])
    assert outcomes[0].startswith("10.00% of the vectors are stale, and 5.00% may be")
    assert outcomes[1] == "no mismatch"
