"""An edge that is there is found and served; where there is none the model is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from click.testing import Result
from market_project import make_market
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from lockstep.cli.main import app
from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
from lockstep.contract.model_registry import model_registry
from lockstep.contract.registered_model import load_model
from lockstep.jobs.generate.market import Options, generate_frames
from lockstep.jobs.generate.write import write_frames
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from training.market import labelled_bars

pytestmark = pytest.mark.timeout(600)

DAYS = 300
TRAIN = ("--iterations", "60", "--test-days", "60")


def project_of(folder: Path, edge: float) -> Settings:
    options = Options(assets=2, days=DAYS, seed=5, edge=edge, start=date(2023, 1, 1))
    write_frames(folder / "bars.parquet", generate_frames(options))
    return make_market(folder / "project", folder / "bars.parquet")


@pytest.fixture(scope="module")
def with_edge(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return project_of(tmp_path_factory.mktemp("edge"), 0.5)


@pytest.fixture(scope="module")
def without_edge(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return project_of(tmp_path_factory.mktemp("none"), 0.0)


def run(settings: Settings, *arguments: str) -> Result:
    environment = {"LOCKSTEP_PROJECT_DIR": str(settings.project_dir), "COLUMNS": "200"}
    return CliRunner(env=environment).invoke(app, list(arguments))


def aliases(settings: Settings) -> set[str]:
    with model_registry(settings.tracking_uri) as client:
        return set(client.get_registered_model("market").aliases)


def test_a_planted_edge_is_found_and_the_model_is_champion(with_edge: Settings) -> None:
    result = run(with_edge, "train", "market", *TRAIN)
    assert result.exit_code == 0, result.output
    assert "no edge" not in result.output and "now champion" in result.output
    assert aliases(with_edge) == {CHAMPION, CHALLENGER}
    model = load_model(with_edge.tracking_uri, "market")
    assert model.predictor.artefact.target.width == 3
    assert 0 < (model.predictor.artefact.threshold or 0) < 1
    assert set(model.metadata["folds"]["test"]) >= {"hold", "buy", "sell", "rows"}


def test_a_walk_finds_it_in_every_fold_and_its_control_nothing(with_edge: Settings) -> None:
    result = run(with_edge, "walk-forward", "market", "--folds", "2", *TRAIN)
    assert result.exit_code == 0, result.output
    assert "no edge" not in result.output
    (line,) = (line for line in result.output.splitlines() if "buy_against_sell_auc" in line)
    model, control = (float(cell.split()[0]) for cell in line.split("│")[2:4])
    assert model > 0.65 and control < 0.6


def test_without_an_edge_the_first_model_is_refused_in_plain_words(without_edge: Settings) -> None:
    result = run(without_edge, "train", "market", *TRAIN)
    assert result.exit_code == 0, result.output
    assert "earned_per_decision above 0 is not shown" in result.output
    assert "The verdict: no edge." in result.output
    assert "It is not served." in result.output
    assert aliases(without_edge) == {CHALLENGER}
    refused = run(without_edge, "promote", "market", "--test-days", "60")
    assert refused.exit_code == 3, refused.output
    assert "Refused: there is no champion." in refused.output
    assert "The verdict: no edge." in refused.output
    assert aliases(without_edge) == {CHALLENGER}
    forced = run(without_edge, "promote", "market", "--test-days", "60", "--force")
    assert forced.exit_code == 0, forced.output
    assert aliases(without_edge) == {CHAMPION, CHALLENGER}


def test_no_label_is_known_before_its_horizon_has_passed(with_edge: Settings) -> None:
    lake = Lake.at(with_edge.lake)
    end = lake.table("market/bars_4h").coverage_end()
    rows = labelled_bars(lake, end)
    waits = (rows["label_known_at"] - rows["event_timestamp"]).dt.total_hours()
    assert (waits == 71).all()  # a microsecond less than 18 bars of 4 hours
    early = rows["event_timestamp"][len(rows) // 2]
    known = labelled_bars(lake, early)
    assert known["label_known_at"].max() <= early  # type: ignore[operator]
    assert known.equals(rows.filter(rows["label_known_at"] <= early))
    later = rows.filter(rows["event_timestamp"] >= early)
    # The running deviation is rounded otherwise where it begins elsewhere.
    assert_frame_equal(labelled_bars(lake, end, since=early), later, rel_tol=1e-12)
