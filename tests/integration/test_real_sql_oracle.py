"""The audit's oracle in SQL and the window core on real files, of every table of windows."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_repo.windows import clicks, fraud, market, property
from lockstep.jobs.ingest import clicks as clicks_files
from lockstep.jobs.ingest import market as market_files
from lockstep.jobs.ingest import property as property_files
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.parity.sql.check import alike
from lockstep.parity.sql.oracle import STEP, source_events, sql_values
from lockstep.stores.asof import KNOWN_AS_OF, join_as_of
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import steps

pytestmark = pytest.mark.realdata

SAMPLE = 400
EXPORT = date(2019, 5, 4)


@pytest.fixture(scope="module")
def lake(real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The real files of three use cases."""
    lake = Lake.at(tmp_path_factory.mktemp("oracle"))
    for spec, file, rejected in (
        (clicks_files.ingest_spec(), "talkingdata_100k.csv", 0.0),
        (market_files.ingest_spec(asset_id=1), "btcusdt_4h.csv", 0.0),
        (property_files.ingest_spec(export_date=EXPORT), "spb_listings.csv", 0.05),
    ):
        ingest(spec, real_data_dir / file, lake=lake, max_rejected_share=rejected)
    return lake


def sampled(events: pl.DataFrame, spec: WindowSpec) -> pl.DataFrame:
    """Entities at their events, a tick later, and as windows after them end."""
    drawn = events.sample(SAMPLE, seed=1).select(*spec.entity_keys, "event_timestamp")
    gaps = [0, 1, *spec.expiries_us, spec.expiries_us[0] - 1, spec.grid_us]
    moves = pl.Series([timedelta(microseconds=gaps[n % len(gaps)]) for n in range(SAMPLE)])
    return drawn.with_columns(pl.col("event_timestamp") + moves)


def assert_alike(events: pl.DataFrame, spec: WindowSpec, asked: pl.DataFrame) -> None:
    """What SQL says of raw events is what is joined of the steps built from them."""
    told = sql_values(events, spec, asked)
    last = asked["event_timestamp"].max()
    table = steps(events, spec, end=last + timedelta(days=2))
    known = asked.with_columns(pl.col("event_timestamp").alias(KNOWN_AS_OF))
    joined = join_as_of(known, table, keys=spec.entity_keys).select(
        pl.col("event_timestamp").to_physical().alias(STEP), *spec.features()
    )
    differing = {name: int((~same).sum()) for name, same in alike(spec, joined, told).items()}
    assert set(differing.values()) == {0}, differing
    assert told.get_column(STEP).null_count() < asked.height / 2
    assert all(told.get_column(name).n_unique() > 1 for name in spec.features())


OTHERS = [*clicks.WINDOW_SPECS, *market.WINDOW_SPECS, *property.WINDOW_SPECS]


@pytest.mark.parametrize("spec", OTHERS, ids=[spec.name for spec in OTHERS])
def test_sql_over_raw_events_says_what_the_windows_are(lake: Lake, spec: WindowSpec) -> None:
    asked = sampled(lake.table(spec.source).scan().collect(), spec)
    assert_alike(source_events(lake, spec, asked), spec, asked)


@pytest.mark.parametrize("spec", fraud.WINDOW_SPECS, ids=[s.name for s in fraud.WINDOW_SPECS])
def test_sql_over_real_transactions_says_what_the_windows_are(
    real_transactions: pl.DataFrame, spec: WindowSpec
) -> None:
    late = pl.duration(days=7 if spec.source == "fraud/verdicts" else 0)
    when = pl.col("event_timestamp") + late
    events = real_transactions.with_columns(event_timestamp=when, created_timestamp=when)
    asked = sampled(events, spec)
    keys = asked.select(spec.entity_keys).unique()
    assert_alike(events.join(keys, on=spec.entity_keys, how="semi"), spec, asked)
