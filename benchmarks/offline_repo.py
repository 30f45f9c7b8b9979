"""A Feast repository over the window tables of the real transactions, for any offline store."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.build_local import ingested
from benchmarks.timing import python, timed_run

REAL_ROWS = 1_754_155
# Views of six features each; argv: lake, kind of store, file for seconds, number of entity rows.
SCRIPT = """
import sys, time, warnings
warnings.simplefilter("ignore")
from datetime import timedelta
from pathlib import Path
import polars as pl
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64, Int64
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
lake, kind, told, rows = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
STORES = {
    "lockstep": {
        "type": "lockstep.stores.offline.LockstepOfflineStore",
        "exclude_created_after": True,
    },
    "duckdb": {"type": "duckdb"},
}
def view(spec):
    (key,) = spec.entity_keys
    entity = Entity(name=key, join_keys=[key], value_type=ValueType.INT64)
    names = list(spec.features().items())[:6]
    kinds = {"int64": Int64, "float64": Float64}
    folder = f"{lake}/{spec.table}"
    source = FileSource(
        name=spec.name,
        path=folder if kind == "lockstep" else f"{folder}/*/part.parquet",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    schema = [Field(name=key, dtype=Int64), *(Field(name=n, dtype=kinds[k]) for n, k in names)]
    return entity, FeatureView(
        name=spec.name, entities=[entity], ttl=timedelta(0), schema=schema, source=source
    )
def project(**others):
    online = {"online_store": {"type": "sqlite", "path": str(told) + ".online"}}
    store = FeatureStore(config=RepoConfig(
        project="bench", provider="local", registry=str(told) + ".db",
        offline_store=STORES[kind], entity_key_serialization_version=3, repo_path=told.parent,
        **(online | others),
    ))
    made = [view(spec) for spec in (CUSTOMER_WINDOWS, TERMINAL_WINDOWS)]
    store.apply([thing for pair in made for thing in pair])
    refs = [f"{v.name}:{f.name}" for _, v in made for f in v.features]
    return store, refs
def entities():
    # In no order, as training frames come after a shuffle.
    keys = ["customer_id", "terminal_id", "event_timestamp"]
    all_rows = pl.read_parquet(f"{lake}/fraud/transactions/*/part.parquet", columns=keys)
    return all_rows.sample(rows, shuffle=True, seed=7)
"""


@contextmanager
def built_lake() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with `lake`, in which the real transactions are built; and its environment."""
    with tempfile.TemporaryDirectory() as folder:
        env = ingested(folder)
        timed_run(python("-m", "lockstep.cli", "build", "fraud"), **env)
        yield Path(folder), env


def joined(
    script: str, folder: Path, kind: str, rows: int, env: dict[str, str]
) -> tuple[float, float]:
    """Seconds that the script wrote, and the peak memory of its process in 10^6 bytes."""
    told = folder / f"{kind}-{rows}"
    lake = str(folder / "lake")
    _, peak = timed_run(python("-c", SCRIPT + script, lake, kind, str(told), str(rows)), **env)
    sys.stderr.write(f"  {kind}, {rows:,} rows: {told.read_text()} s, {peak:,.0f} MB\n")
    return float(told.read_text()), peak
