"""An old training set comes again from `--as-of`, whatever has come into the lake since."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from feast_project import apply_definitions, make_project
from fraud_project import START

from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.generate.fraud import Options, generate
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from training.dataset import Dataset, join_features
from training.run import labelled_rows
from training.use_case import load_use_case

AS_OF = START + timedelta(days=25)


def bring(settings: Settings, rows: pl.DataFrame) -> None:
    """Ingests rows and builds what they change."""
    raw = settings.project_dir / "raw.parquet"
    rows.write_parquet(raw)
    lake = Lake.at(settings.lake)
    ingest(ingest_spec(), raw, lake=lake, max_rejected_share=0.0)
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)


def dataset(settings: Settings, as_of: datetime) -> Dataset:
    use_case = load_use_case("fraud")
    _, rows = labelled_rows(settings, use_case, as_of)
    store = open_feature_store(settings)
    service = use_case.feature_service
    return join_features(store, rows, feature_service=service, row_id=use_case.row_id)


def test_a_training_set_of_then_is_the_same_now(tmp_path: Path) -> None:
    settings = make_project(tmp_path)
    rows = generate(Options(customers=60, terminals=100, days=40, seed=3))
    time = rows.columns[1]
    cut = rows.get_column(time).min() + timedelta(days=28)  # type: ignore[operator]  # an instant
    bring(settings, rows.filter(pl.col(time) < cut))
    apply_definitions(settings)
    then = dataset(settings, AS_OF)
    bring(settings, rows.filter(pl.col(time) >= cut))
    now = dataset(settings, AS_OF)
    assert now.rows.equals(then.rows)
    assert now.receipt == then.receipt
    assert now.fingerprint == then.fingerprint
    later = dataset(settings, AS_OF + timedelta(days=1))
    assert later.receipt["content_hash"] != then.receipt["content_hash"]
    assert later.rows.height > then.rows.height
