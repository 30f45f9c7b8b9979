"""The real transactions, built and joined on Spark and in one process: the same files and rows."""

from __future__ import annotations

from copy import copy
from pathlib import Path

import pytest
from feast import FeatureView, Field
from feast.types import Int64
from programs import program
from source_histories import files
from spark_script import run

from feature_repo.definitions.fraud import customer_windows, terminal_windows
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS, WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.receipt import BuildReceipt
from lockstep.lake.lake import Lake
from lockstep.stores.historical_join import HistoricalJoin
from lockstep.stores.join_receipt import ViewAccount
from lockstep.stores.spark_join import SparkJoin
from lockstep.stores.view_join import ViewJoin
from lockstep.stores.view_table import ViewTable

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def built_here(
    handbook: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lake, list[BuildReceipt]]:
    """A lake that was built in one process, and the receipts."""
    lake = Lake.at(tmp_path_factory.mktemp("local"))
    ingest(ingest_spec(), handbook, lake=lake)
    return lake, build(lake, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)


def test_spark_leaves_the_files_of_the_local_engine(
    built_here: tuple[Lake, list[BuildReceipt]], tmp_path: Path
) -> None:
    by_process, receipts = built_here
    by_spark = Lake.at(tmp_path / "lake")
    (tmp_path / "lake" / "fraud").mkdir(parents=True)
    for source in {spec.source for spec in WINDOW_SPECS}:
        Path(by_spark.address(source)).symlink_to(by_process.address(source))

    command = [program("lockstep"), "build", "fraud", "--engine", "spark"]
    done = run(*command, LOCKSTEP_HOME=str(tmp_path), COLUMNS="100")
    assert done.returncode == 0, done.stderr
    for receipt, spec in zip(receipts, WINDOW_SPECS, strict=True):
        assert receipt.rows_in == 1_754_155
        assert f"{spec.table}, spark engine" in done.stdout
        assert receipt.content_hash[:16] in done.stdout
        expected = files(by_process, spec)
        found = files(by_spark, spec)
        assert found.keys() == {key for key in expected if not key.endswith("_state.parquet")}
        assert [key for key in found if found[key] != expected[key]] == []


def test_spark_joins_every_transaction_as_one_process_does(
    spark: object, built_here: tuple[Lake, list[BuildReceipt]]
) -> None:
    lake, _ = built_here
    table = lake.table("fraud/transactions")
    asked = table.collect(table.scan().select("customer_id", "terminal_id", "event_timestamp"))
    asked = asked.sample(fraction=1.0, shuffle=True, seed=7)
    views = [
        ViewJoin(ViewTable(view, lake), list(spec.features()), True, with_statuses=True)
        for view, spec in (
            (keyed(customer_windows, "customer_id"), CUSTOMER_WINDOWS),
            (keyed(terminal_windows, "terminal_id"), TERMINAL_WINDOWS),
        )
    ]
    local: dict[str, ViewAccount] = {}
    by_spark: dict[str, ViewAccount] = {}
    expected = HistoricalJoin(asked, views, exclude=True, memory_mb=3000).frame(local)
    found = SparkJoin(asked, views, exclude=True, memory_mb=3000).frame(by_spark)
    assert found.equals(expected)
    assert by_spark == local
    assert len(found) == 1_754_155


def keyed(view: FeatureView, key: str) -> FeatureView:
    """The view as `feast apply` leaves it, which finds the columns of its entities."""
    applied = copy(view)
    applied.entity_columns = [Field(name=key, dtype=Int64)]
    return applied
