"""A file of corrections reaches the lake, the windows and the online store, and says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from erasable import holdings
from fraud_project import Project, materialize

from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.parity.correction.receipt import CORRECTIONS, CorrectionReceipt
from lockstep.parity.correction.run import correct
from lockstep.parity.erasure.errors import CorrectionError
from lockstep.settings import Settings
from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.ledger import changes_of

AT = datetime(2018, 5, 16, tzinfo=UTC)
# Made while the tables already reach further, and after they end.
EARLIER, LATER = datetime(2018, 5, 14, 10, 30, tzinfo=UTC), datetime(2018, 5, 17, 10, tzinfo=UTC)


@pytest.fixture
def materialized(untrained: Settings, redis_url: str) -> Settings:
    materialize(untrained, redis_url, AT)
    return untrained


@pytest.fixture
def raw(project: Project) -> pl.DataFrame:
    rows = pl.read_parquet(project.settings.project_dir / "raw.parquet")
    return rows.rename({name: name.lower() for name in rows.columns})


def corrections(raw: pl.DataFrame, folder: Path, *, created: datetime, **more: Any) -> Path:
    """A customer's last three payments, dearer than they were said to be."""
    happened = pl.col("tx_datetime") < EARLIER.replace(tzinfo=None)
    theirs = raw.filter(pl.col("customer_id") == 7, happened).tail(3)
    assert theirs.height == 3
    path = folder / "corrections.parquet"
    theirs.with_columns(
        (pl.col("tx_amount") + 1000).alias("tx_amount"),
        pl.lit(created).alias("created_timestamp"),
    ).with_columns(pl.lit(value).alias(name) for name, value in more.items()).write_parquet(path)
    return path


def run(settings: Settings, redis_url: str, path: Path) -> CorrectionReceipt | None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        held = holdings(settings)
        return correct(held, str(path), clock=SystemClock(), progress=lambda what, share: None)


def online(settings: Settings, redis_url: str) -> list[Any]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        ref = "customer_windows:customer_amount_cents_sum_30d"
        found = open_feature_store(settings).get_online_features([ref], [{"customer_id": 7}])
        return list(found.to_dict()["customer_amount_cents_sum_30d"])


@pytest.mark.parametrize("created", [EARLIER, LATER])
def test_windows_and_online_store_follow(
    materialized: Settings, redis_url: str, raw: pl.DataFrame, tmp_path: Path, created: datetime
) -> None:
    (before,) = online(materialized, redis_url)
    path = corrections(raw, tmp_path, created=created)
    receipt = run(materialized, redis_url, path)
    assert receipt is not None
    assert receipt.rows == 3
    assert receipt.is_clean
    assert receipt.online["customer_windows"] == {"keys": 1, "differing": 0}
    changed = receipt.windows["fraud/customer_windows"]
    assert changed.before != changed.after
    assert receipt.tables["fraud/transactions"].before != receipt.tables["fraud/transactions"].after
    (after,) = online(materialized, redis_url)
    assert after == before + 3 * 1000_00
    (change,) = changes_of(Lake.at(materialized.lake), "lockstep", "customer_windows")
    assert (change.kind, change.rows) == ("correction", 1)
    assert run(materialized, redis_url, path) is None


def test_tables_are_those_of_a_first_build(
    materialized: Settings, redis_url: str, raw: pl.DataFrame, tmp_path: Path
) -> None:
    path = corrections(raw, tmp_path, created=EARLIER)
    run(materialized, redis_url, path)
    whole = Lake.at(tmp_path / "whole")
    first = tmp_path / "raw.parquet"
    raw.write_parquet(first)
    for each in (first, path):
        ingest(ingest_spec(), each, lake=whole)
    build(whole, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)
    for spec in WINDOW_SPECS:
        ours, theirs = Lake.at(materialized.lake).table(spec.table), whole.table(spec.table)
        assert ours.days() == theirs.days()
        for day in theirs.days():
            assert ours.read_day(day).equals(theirs.read_day(day)), theirs.part(day)


# Nothing listens on the first port.
DOWN = "redis://127.0.0.1:1/0"


def test_what_broke_off_is_gone_on_with(
    materialized: Settings, redis_url: str, raw: pl.DataFrame, tmp_path: Path
) -> None:
    """The online store is away when the lake and the windows are corrected already."""
    (before,) = online(materialized, redis_url)
    path = corrections(raw, tmp_path, created=EARLIER)
    with pytest.raises(StoreUnavailableError):
        run(materialized, DOWN, path)
    lake = Lake.at(materialized.lake)
    (begun,) = lake.list(CORRECTIONS)
    assert begun.endswith(".begun.json")
    assert online(materialized, redis_url) == [before]
    receipt = run(materialized, redis_url, path)
    assert receipt is not None
    assert (receipt.rows, receipt.is_clean) == (3, True)
    changed = receipt.windows["fraud/customer_windows"]
    assert changed.before != changed.after
    assert online(materialized, redis_url) == [before + 3 * 1000_00]
    (key,) = lake.list(CORRECTIONS)
    assert json.loads(lake.read_bytes(key)) == json.loads(json.dumps(receipt.as_json()))


def test_what_is_no_correction_changes_nothing(
    untrained: Settings, raw: pl.DataFrame, redis_url: str, tmp_path: Path
) -> None:
    lake = Lake.at(untrained.lake)
    before = lake.versions("")
    plain = tmp_path / "plain.parquet"
    raw.head(3).write_parquet(plain)
    with pytest.raises(CorrectionError, match="has no created_timestamp"):
        run(untrained, redis_url, plain)
    with pytest.raises(CorrectionError, match="3 rows correct ids that the lake does not hold"):
        run(untrained, redis_url, corrections(_renumbered(raw), tmp_path, created=EARLIER))
    with pytest.raises(CorrectionError, match="3 rows are bad: tx_amount:too_small"):
        run(untrained, redis_url, corrections(raw, tmp_path, created=EARLIER, tx_amount=-1.0))
    early = datetime(2018, 4, 1, tzinfo=UTC) - timedelta(days=1)
    with pytest.raises(CorrectionError, match="older_than_stored"):
        run(untrained, redis_url, corrections(raw, tmp_path, created=early))
    assert lake.versions("") == before


def _renumbered(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.with_columns(pl.col("transaction_id") + 10**9)
