"""Row `on_demand`: what one on-demand function adds to a join and to a request."""

from __future__ import annotations

from statistics import median

from benchmarks.offline_repo import REAL_ROWS, built_lake, joined
from benchmarks.row import Goal, Measurement

RUNS = 5
PROJECT = """
import os
os.environ["LOCKSTEP_LAKE"] = lake
from shutil import copytree
from feature_repo import discovery
from feature_repo.store import open_feature_store
from lockstep.settings import Settings
folder = told.parent / "project"
if not folder.exists():
    copytree(Path(discovery.__file__).parent, folder / "feature_repo")
store = open_feature_store(Settings(project_dir=folder))
store.apply(list(discovery.feast_objects("fraud").values()))
refs = [f"customer_windows:{name}" for name in list(CUSTOMER_WINDOWS.features())[:6]]
refs += [f"terminal_windows:{name}" for name in list(TERMINAL_WINDOWS.features())[:6]]
if kind == "with":
    view = store.get_on_demand_feature_view("transaction_features")
    refs += [f"{view.name}:{field.name}" for field in view.features]
frame = entities().with_columns(
    amount_cents=pl.lit(1200), transaction_time_us=pl.col("event_timestamp").to_physical()
)
"""
_JOIN = """
started = time.monotonic()
store.get_historical_features(entity_df=frame, features=refs).to_arrow()
told.write_text(str(time.monotonic() - started))
"""
_REQUEST = """
from statistics import median
from feature_repo.on_demand.fraud import compare_with_card
names = [
    "customer_amount_cents_mean_30d",
    *(f"customer_tx_count_{w}" for w in ("1d", "7d", "30d")),
]
row = {name: [2.5] for name in names} | {"amount_cents": [1200], "transaction_time_us": [10**15]}
times = []
for _ in range(2000):
    started = time.perf_counter()
    compare_with_card(row)
    times.append(time.perf_counter() - started)
told.write_text(str(median(times) * 1000))
"""


def measure() -> Measurement:
    """The join of all real transactions with the view over that without it; a call of one row."""
    with built_lake() as (folder, env):
        without, with_view = [], []
        for _ in range(RUNS):
            without.append(joined(PROJECT + _JOIN, folder, "without", REAL_ROWS, env)[0])
            with_view.append(joined(PROJECT + _JOIN, folder, "with", REAL_ROWS, env)[0])
        one_row_ms, _ = joined(_REQUEST, folder, "one", 1, env)
    return Measurement(
        name="on_demand",
        ours=median(with_view),
        limit=median(without),
        unit="s",
        rows=REAL_ROWS,
        goals=(Goal("added_share", "<=", 0.2), Goal("one_row_ms", "<=", 0.1)),
        extra={
            "added_share": median(with_view) / median(without) - 1,
            "one_row_ms": one_row_ms,
        },
    )
