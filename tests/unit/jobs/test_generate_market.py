"""Generated price bars: the same again, possible ones, in clusters, with an edge when asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lockstep.errors import LockstepError
from lockstep.jobs.generate.market import Options, generate
from lockstep.jobs.ingest.market import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake


def returns(options: Options) -> np.ndarray[Any, Any]:
    """From close to close, of one asset."""
    closes = generate(options).filter(asset_id=1)["close"].to_numpy()
    return np.asarray(closes[1:] / closes[:-1] - 1)


def test_the_same_options_give_the_same_rows_and_others_do_not() -> None:
    options = Options(days=20)
    assert generate(options).equals(generate(options))
    assert not generate(options).equals(generate(Options(days=20, seed=8)))


def test_every_generated_bar_is_taken(local_lake: Lake, tmp_path: Path) -> None:
    rows = generate(Options(days=30, missing=0.0))
    rows.write_parquet(tmp_path / "bars.parquet")
    receipt = ingest(ingest_spec(), tmp_path / "bars.parquet", lake=local_lake)
    assert (receipt.accepted, receipt.rejected) == (3 * 30 * 6, 0)


def test_bars_follow_each_other_at_the_interval_but_for_the_missing() -> None:
    rows = generate(Options(assets=1, days=300, interval="1h", missing=0.05))
    assert rows["timestamp"].min() == pl.Series([date(2023, 1, 1)]).cast(pl.Datetime)[0]
    gaps = rows["timestamp"].diff().drop_nulls().dt.total_minutes()
    assert (gaps % 60 == 0).all()
    assert rows.height == pytest.approx(300 * 24 * 0.95, rel=0.02)


def test_volatility_comes_in_clusters() -> None:
    sizes = np.abs(returns(Options(assets=1, days=2_000)))
    assert np.corrcoef(sizes[1:], sizes[:-1])[0, 1] > 0.1


@pytest.mark.parametrize(("edge", "low", "high"), [(0.0, -0.03, 0.03), (0.3, 0.2, 1.0)])
def test_the_last_bars_say_the_next_direction_only_with_an_edge(
    edge: float, low: float, high: float
) -> None:
    found = returns(Options(assets=1, days=2_500, edge=edge, missing=0.0))
    before = np.convolve(found, np.ones(12), mode="valid")[:-1]
    agrees = np.sign(found[12:]) == np.sign(before)
    assert low < 2 * agrees.mean() - 1 < high


@pytest.mark.parametrize(
    "wrong",
    [
        {"assets": 0},
        {"days": 0},
        {"seed": -1},
        {"edge": 1.5},
        {"missing": -0.1},
        {"interval": "bar"},
        {"interval": "2d", "days": 1},
        {"start": date(1969, 1, 1)},
    ],
)
def test_options_that_make_no_bars_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(LockstepError, match="expected|write a whole number"):
        Options(**wrong)
