"""Windows of composite keys over the real clicks, against SQL over the raw rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.windows.clicks import WINDOW_SPECS
from lockstep.jobs.ingest.clicks import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.stores.asof import join_as_of
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import steps

pytestmark = pytest.mark.realdata

END = datetime(2017, 11, 20, tzinfo=UTC)
# One click in so many is looked at.
SHARE = 25
# Each aggregation in SQL over the events `e` of one window; `event` is in microseconds.
FUNCTIONS = {
    "count": "count(e.event)",
    "distinct": "count(distinct e.{column})",
    "last_event_time": "max(e.event)",
    "rate": "avg(e.{column})",
}


@pytest.fixture(scope="module")
def lake(real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The real file, ingested; the second time it adds nothing."""
    lake = Lake.at(tmp_path_factory.mktemp("clicks"))
    file = real_data_dir / "talkingdata_100k.csv"
    assert ingest(ingest_spec(), file, lake=lake, max_rejected_share=0.0).accepted == 100_000
    assert ingest(ingest_spec(), file, lake=lake, max_rejected_share=0.0).already_there == 100_000
    return lake


def test_the_real_file_is_taken_whole(lake: Lake) -> None:
    clicks = lake.table("clicks/clicks").scan().collect()
    verdicts = lake.table("clicks/attributions").scan().collect()
    assert clicks["click_id"].n_unique() == 100_000
    assert clicks.drop("click_id").is_duplicated().sum() == 2
    assert verdicts["attributed"].sum() == 227
    assert set(verdicts["click_id"]) == set(clicks["click_id"])
    # The declared window leaves one attribution out, which came after 12 h 52 min.
    late = verdicts.filter(pl.col("event_timestamp") > pl.col("window_end_timestamp"))
    assert late.height == 1


def in_sql(probes: pl.DataFrame, events: pl.DataFrame, spec: WindowSpec) -> pl.DataFrame:
    """Every probe's features over the events with t < T < t + w, on the spec's grid."""
    grid, keys = spec.grid_us, list(spec.entity_keys)
    same = " and ".join(f"p.{key} = e.{key}" for key in keys)
    found = probes.select("row")
    with duckdb.connect() as database:
        for name, frame in (("probes", probes), ("events", events)):
            physical = frame.with_columns(event=pl.col("event_timestamp").to_physical())
            database.register(name, physical.drop("event_timestamp").to_arrow())
        for window, length in zip(spec.windows, spec.lengths_us, strict=True):
            select = ", ".join(
                f"{FUNCTIONS[a.function].format(column=a.column)} as {spec.feature(a, window)}"
                for a in spec.aggregations
            )
            arrives = f"ceil((e.event + 1) / {grid}) * {grid}"
            expires = f"ceil((e.event + {length}) / {grid}) * {grid}"
            rows = database.sql(
                f"select p.row, {select} from probes p left join events e on {same} "
                f"and {arrives} <= p.event and p.event < {expires} group by p.row"
            )
            found = found.join(pl.DataFrame(rows.to_arrow_table()), on="row", how="left")
    return found.sort("row").select(*spec.features())


@pytest.mark.parametrize("spec", WINDOW_SPECS, ids=[spec.name for spec in WINDOW_SPECS])
def test_a_window_is_what_sql_over_the_raw_rows_says(lake: Lake, spec: WindowSpec) -> None:
    events = lake.table(spec.source).scan().select(spec.source_columns).collect()
    clicks = lake.table("clicks/clicks").scan().collect().sort("event_timestamp", "click_id")
    chosen = clicks.filter(pl.col("click_id") % SHARE == 0).with_row_index("row")
    probes = chosen.select("row", *spec.entity_keys, "event_timestamp")
    assert probes.height > 3_000
    table = steps(events, spec, end=END)
    ours = join_as_of(probes.drop("row"), table, keys=spec.entity_keys).select(*spec.features())
    # Where nothing was ever known there is no step; SQL counts nothing.
    counts = [n for n in spec.features() if "_count_" in n or "_distinct_" in n]
    ours = ours.with_columns(pl.col(counts).fill_null(0))
    assert sum(ours[name].sum() for name in counts) > 0
    assert_frame_equal(ours, in_sql(probes, events, spec), rel_tol=1e-12)
