"""On the real files no fold of market or property knows what its test asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from lockstep.jobs.ingest import market, property
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.lake import Lake
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.dataset import Dataset
from training.errors import LeakError
from training.fit import FitParameters
from training.leak import assert_no_leak
from training.split import plan_split
from training.use_case import LABEL_KNOWN_AT, UseCase, load_use_case
from training.walk_forward import WalkForward, WalkOptions

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(300)]

FILES = {
    "market": ("btcusdt_4h.csv", market.ingest_spec(asset_id=1)),
    "property": ("spb_listings.csv", property.ingest_spec(export_date=date(2019, 5, 4))),
}


@pytest.fixture(scope="module", params=FILES)
def walk(
    request: pytest.FixtureRequest, real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> WalkForward:
    """All labelled rows of the file, without features: no fold depends on them."""
    name: str = request.param
    file, spec = FILES[name]
    lake = _lake_of(tmp_path_factory.mktemp(name), real_data_dir / file, spec)
    use_case = load_use_case(name)
    as_of = lake.table(use_case.labels_table).coverage_end()
    return WalkForward(use_case, Dataset(use_case.entity_rows(lake, as_of), (), {}, ""), as_of)


def _lake_of(folder: Path, file: Path, spec: IngestSpec) -> Lake:
    lake = Lake.at(folder / "lake")
    ingest(spec, file, lake=lake)
    return lake


def _rules(use_case: UseCase) -> WalkOptions:
    return WalkOptions(3, replace(use_case.split, test_days=100), FitParameters())


def test_the_split_of_a_training_knows_nothing_and_one_that_does_is_found(
    walk: WalkForward,
) -> None:
    use_case, rows = walk.use_case, walk.dataset.rows
    split = plan_split(rows, use_case.task, use_case.split).split(rows)
    assert_no_leak(split, row_id=use_case.row_id, as_of=walk.as_of)
    # Labels that count at once, as though one knew the price at publication or the way ahead.
    early = rows.with_columns(pl.col(EVENT_TIMESTAMP).alias(LABEL_KNOWN_AT))
    unguarded = replace(use_case.split, embargo_days=0)
    knowing = plan_split(early, use_case.task, unguarded).split(early)
    known = rows.select(use_case.row_id, LABEL_KNOWN_AT)
    truly = {
        name: fold.drop(LABEL_KNOWN_AT).join(known, on=use_case.row_id, maintain_order="left")
        for name, fold in vars(knowing).items()
    }
    truly = {name: fold.select(split.test.columns) for name, fold in truly.items()}
    with pytest.raises(LeakError, match="a label of the fit became known"):
        assert_no_leak(type(split)(**truly), row_id=use_case.row_id, as_of=walk.as_of)


def test_no_fold_of_a_walk_knows_its_test(walk: WalkForward) -> None:
    options, embargo = _rules(walk.use_case), timedelta(days=walk.use_case.split.embargo_days)
    splits = walk.splits(options)
    assert len(splits) == 3
    for split in splits:
        assert_no_leak(split, row_id=walk.use_case.row_id, as_of=walk.as_of)
        starts = split.test[EVENT_TIMESTAMP].min()
        assert split.known[LABEL_KNOWN_AT].max() < starts - embargo  # type: ignore[operator]
    tested = pl.concat([split.test for split in splits])
    assert tested[walk.use_case.row_id].is_unique().all()
