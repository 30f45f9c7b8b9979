"""What the pages tell to type for their results on real files works as it stands there."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from test_page_commands import block
from test_readme import project, run

pytestmark = [pytest.mark.timeout(900), pytest.mark.realdata]


@pytest.mark.parametrize(
    "page, number, told",
    [
        ("market", 2, "The verdict: no edge."),
        ("clicks", 0, "A running `lockstep serve` takes it"),
        ("clicks", 1, "CatBoost, clicks_v1: AUC "),
        ("property", 2, "nothing known of its cell"),
        ("property", 3, "mape_below_baseline"),
        ("results", 0, "│ mean "),
    ],
)
def test_results_are_reproduced(
    page: str, number: int, told: str, real_data_dir: Path, tmp_path: Path
) -> None:
    env = project(tmp_path, "") | {"LOCKSTEP_REAL_DATA": str(real_part(real_data_dir, tmp_path))}
    assert told in run(block(page, number), tmp_path, env)


def real_part(real: Path, folder: Path) -> Path:
    """The real files under their names: a fiftieth of the customers, a third of the flats."""
    part = folder / "real"
    part.mkdir()
    for file in ("btcusdt_4h.csv", "talkingdata_100k.csv", "moscow_flats_1k.csv"):
        (part / file).symlink_to(real / file)
    cards = pl.scan_parquet(real / "handbook_transactions.parquet")
    cards.filter(pl.col("CUSTOMER_ID").cast(pl.Int64) % 50 == 0).sink_parquet(
        part / "handbook_transactions.parquet"
    )
    header, *flats = (real / "spb_listings.csv").read_text().splitlines(keepends=True)
    (part / "spb_listings.csv").write_text("".join([header, *flats[::3]]))
    return part
