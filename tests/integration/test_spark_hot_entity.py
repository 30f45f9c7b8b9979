"""A terminal with a thousand times the mean number of events does not fill one task's memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
from source_histories import T0
from spark_script import run

from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable

OTHERS, MEAN = 100, 3000
HOT = 1000 * MEAN
BUILD = """
import sys
from datetime import timedelta
from source_histories import NOW, T0
from lockstep.contract.clock import FixedClock
from lockstep.jobs.spark.build import build_with_spark
from lockstep.lake.lake import Lake
from lockstep.windows.spec import Aggregation, WindowSpec

spec = WindowSpec(
    "hot", "bank/payments", "shop", ("shop",), ("1d",), (Aggregation("count", what="tx"),)
)
build_with_spark(
    Lake.at(sys.argv[1]), [spec], end=T0 + timedelta(days=32),
    clock=FixedClock(NOW), progress=lambda what, share: None,
)
"""


def write_events(table: LakeTable) -> None:
    """Thirty days of events, nine of ten of one shop."""
    random = np.random.default_rng(7)
    shop = np.repeat(np.arange(OTHERS + 1), [HOT, *[MEAN] * OTHERS])
    us = random.integers(0, 30 * 86_400 * 10**6, len(shop))
    at = pl.lit(T0) + pl.duration(microseconds="us")
    rows = pl.DataFrame({"shop": shop, "us": us})
    rows = rows.select("shop", event_timestamp=at, created_timestamp=at)
    for (day,), part in rows.group_by(pl.col("event_timestamp").dt.date()):
        table.write_day(day, part)


def test_a_hot_entity_leaves_its_task_in_pieces(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    write_events(lake.table("bank/payments"))
    done = run(sys.executable, "-c", BUILD, lake.uri)
    assert done.returncode == 0, done.stderr
    receipt = json.loads(lake.read_bytes("bank/hot/_table.json"))["build"]
    assert receipt["entities"] == OTHERS + 1
    assert receipt["steps"] > 1.9 * HOT
    # 680 when this was written; 1,030 with the terminal in one portion and its steps in one piece.
    assert receipt["peak_mb"] < 850
