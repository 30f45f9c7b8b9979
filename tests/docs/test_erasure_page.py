"""The commands of erasure.md, as they stand there, and what they answer to what cannot be."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from test_page_commands import block
from test_readme import project, run

from lockstep.stores.embedded_redis import embedded_redis

pytestmark = pytest.mark.timeout(600)

# Prints the code that each of them ends with.
REFUSED = """
    for entity in customer card=42 customer=42,terminal=1 customer=me customer=999999 customer=42
    do
        code=0
        lockstep forget fraud --entity $entity 2>&1 || code=$?
        echo "$entity ended with $code"
    done
    code=0
    lockstep correct fraud --from corrections.parquet || code=$?
    echo "the same corrections ended with $code"
"""


def test_a_customer_is_forgotten_and_another_corrected(tmp_path: Path) -> None:
    begun = """
        lockstep generate fraud --customers 80 --terminals 120 --days 40 --out raw.parquet
        lockstep ingest fraud --from raw.parquet
        lockstep build fraud
        lockstep apply
        lockstep materialize fraud --start 2018-04-01 --end 2018-05-10
    """
    with embedded_redis(data_dir=tmp_path / "redis") as url:
        environment = project(tmp_path, url)
        run(begun, tmp_path, environment)
        _write_corrections(tmp_path)
        told = run(block("erasure", 0), tmp_path, environment)
        refused = run(REFUSED, tmp_path, environment)
    assert "customer_id, would be erased" in told
    assert "differing from the lake: 0" in told
    assert "raw.parquet stay where they are" in told
    assert "corrections.parquet: 1 rows corrected" in told
    assert "keys read back, 0 differ" in told
    assert "nothing to correct: the lake says so already" in refused
    assert "names several keys" in refused
    for ended in (
        "customer ended with 2",
        "card=42 ended with 2",
        "customer=42,terminal=1 ended with 2",
        "customer=me ended with 2",
        "customer=999999 ended with 1",
        "customer=42 ended with 1",
        "the same corrections ended with 1",
    ):
        assert f"\n{ended}\n" in refused, ended
    assert refused.count("nothing was found") == 2


def _write_corrections(folder: Path) -> None:
    rows = pl.read_parquet(folder / "raw.parquet")
    rows = rows.rename({name: name.lower() for name in rows.columns})
    one = rows.filter(pl.col("customer_id") != 42).sort("tx_datetime").head(1)
    later = pl.col("tx_datetime") + pl.duration(hours=3)
    dearer = one.with_columns(pl.col("tx_amount") + 1, later.alias("created_timestamp"))
    dearer.write_parquet(folder / "corrections.parquet")
