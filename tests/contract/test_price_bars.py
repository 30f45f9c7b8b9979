"""Price bars by every engine: the same accepted and refused rows, and the same indicators."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from raw_bars import HOUR, START, raw_bars, spoiled, write
from runners import ENGINES, table_files

from feature_repo.windows.market import ASSET_MACD, ASSET_RANGE, ASSET_STRENGTH
from lockstep.contract.clock import FixedClock
from lockstep.jobs.generate.market import Options, generate
from lockstep.jobs.ingest.engine import Engine
from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.market import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.ingest.spark import SparkEngine
from lockstep.lake.lake import Lake

NOW = (START + 120 * 24 * HOUR).replace(tzinfo=UTC)
SPECS = (ASSET_RANGE, ASSET_STRENGTH, ASSET_MACD)


def ingest_engines(spark: object) -> list[Engine]:
    return [LocalEngine(), LocalEngine(rows_a_bucket=4), SparkEngine(spark, rows_a_bucket=5)]


def contents(lake: Lake) -> dict[str, bytes]:
    """The facts and the rejected rows."""
    names = [key for key in lake.list("market/") if key.endswith(".parquet")]
    return {name: lake.read_bytes(name) for name in names}


@pytest.mark.parametrize("name", ["bars.csv", "bars.json", "bars.parquet"])
def test_engines_take_and_refuse_the_same_bars(spark: object, tmp_path: Path, name: str) -> None:
    rows = spoiled(spoiled(raw_bars(12), 3, high="1"), 7, close="", low="-2")
    path = write(tmp_path / name, pl.concat([rows, rows[:2]]))
    found = []
    for number, engine in enumerate(ingest_engines(spark)):
        lake = Lake.at(tmp_path / f"{number}")
        receipt = ingest(
            ingest_spec(asset_id=3), path, lake=lake, engine=engine, max_rejected_share=1.0
        )
        found.append((replace(receipt, seconds=0), contents(lake)))
    assert found[0][0].rejected_by_reason == {
        "duplicate_id": 2,
        "close:null": 1,
        "high:below_another": 1,
        "low:too_small": 1,
    }
    assert found[1] == found[0]
    assert found[2] == found[0]


def late_and_restated(rows: pl.DataFrame) -> pl.DataFrame:
    """Every 11th bar comes a day late; every 17th is restated after two days, one taken back."""
    number = pl.int_range(pl.len())
    end = pl.col("timestamp") + timedelta(hours=4)
    rows = rows.with_columns(
        created_timestamp=end + pl.when(number % 11 == 5).then(24 * HOUR).otherwise(0 * HOUR),
        is_deleted=pl.lit(0),
    )
    later = pl.col("created_timestamp") + 48 * HOUR
    restated = rows.gather_every(17).with_columns(
        created_timestamp=later, close=(pl.col("open") + pl.col("high")) / 2
    )
    taken_back = rows.gather_every(97, 3).with_columns(created_timestamp=later, is_deleted=1)
    cents = pl.col("close").round(2).clip("low", "high")
    return pl.concat([rows, restated.with_columns(cents), taken_back])


def test_indicators_of_bars_with_gaps_late_restated_and_deleted_ones(
    spark: object, tmp_path: Path
) -> None:
    rows = late_and_restated(generate(Options(assets=2, days=70, missing=0.03)))
    rows.write_parquet(tmp_path / "bars.parquet")
    first, second = NOW - timedelta(days=80), NOW - timedelta(days=65)
    chains = {
        "local": [(ENGINES["local"], {})],
        "spark": [(ENGINES["spark"], {})],
        "in turns": [
            (ENGINES["local"], {"end": first}),
            (ENGINES["spark"], {"start": first, "end": second}),
            (ENGINES["local"], {"start": second}),
        ],
    }
    found = []
    for name, chain in chains.items():
        lake = Lake.at(tmp_path / name)
        receipt = ingest(ingest_spec(), tmp_path / "bars.parquet", lake=lake)
        assert (receipt.corrections, receipt.deletions) == (48, 9)
        for build, interval in chain:
            whole = partial(build, lake, SPECS, clock=FixedClock(NOW), progress=_ignored)
            whole(**{"end": NOW, **interval})
        found.append([table_files(lake, spec) for spec in SPECS])
    assert found[1] == found[0]
    assert found[2] == found[0]
    table = Lake.at(tmp_path / "local").table(ASSET_STRENGTH.table).scan().collect()
    known = table["asset_close_ticks_rsi_72b"].drop_nulls()
    assert len(known) > 500
    assert known.is_between(0, 100).all()


def _ignored(what: str, share: float) -> None:
    pass
