"""From files with corrections to features: a window counts exactly the rows that are live."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from fact_files import START, add, files
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_oracle import Row

from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.lake.facts import live_rows
from lockstep.lake.lake import Lake
from lockstep.stores.asof import join_as_of
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import steps

END = START.replace(tzinfo=UTC) + timedelta(days=60)


@pytest.mark.parametrize(
    ("spec", "value"), [(CUSTOMER_WINDOWS, "amount_cents"), (TERMINAL_WINDOWS, "fraud")]
)
@settings(max_examples=25)
@given(
    sequence=st.lists(files, min_size=1, max_size=3),
    key=st.integers(0, 2),
    hours=st.integers(0, 400),
    later=st.integers(0, 100),
)
def test_a_window_counts_the_rows_that_are_live(
    spec: WindowSpec, value: str, sequence: list[list[Row]], key: int, hours: int, later: int
) -> None:
    at = START.replace(tzinfo=UTC) + timedelta(hours=hours)
    with TemporaryDirectory() as folder:
        lake = Lake.at(Path(folder) / "lake")
        for rows in sequence:
            add(rows, lake)
        if not lake.table(spec.source).days():
            return
        facts = lake.table(spec.source).scan().collect()
    (name,) = spec.entity_keys
    probe = pl.DataFrame(
        {
            name: [key + (10 if name == "customer_id" else 20)],
            "event_timestamp": [at],
            "known_as_of": [at + timedelta(hours=later)],
        }
    ).cast({pl.Datetime: pl.Datetime("us", "UTC")})
    joined = join_as_of(probe, steps(facts, spec, end=END), keys=[name]).row(0, named=True)
    known = live_rows(facts.lazy(), ["transaction_id"], known_as_of=probe["known_as_of"][0])
    own = known.filter(pl.col(name) == probe[name][0], pl.col("event_timestamp") < at).collect()
    for days, window in zip((1, 7, 30), spec.windows, strict=True):
        held = own.filter(pl.col("event_timestamp") + timedelta(days=days) > at)
        count, total = (spec.feature(part, window) for part in spec.aggregations[:2])
        assert (joined[count] or 0) == held.height
        assert (joined[total] or 0) == held[value].sum()
