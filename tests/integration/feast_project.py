"""A project of its own for each test: our feature repository and a lake written by hand."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from feature_repo.discovery import feast_objects
from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.windows.spec import WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore

REPOSITORY = Path(__file__).parents[2] / "feature_repo"
T0 = datetime(2018, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
COUNT, TERMINAL_COUNT = "customer_tx_count_1d", "terminal_verdict_count_1d"
# The daily marts, the profiles and the services that read them.
_UNFILLED = re.compile("daily|profile|fraud_v2")
REFS = [f"customer_windows:{COUNT}", f"terminal_windows:{TERMINAL_COUNT}"]


@dataclass(frozen=True)
class Step:
    """One step, `at` and `created` in hours after T0; its features are made from `value`."""

    key: int
    at: float
    value: int | None
    created: float | None = None


STEPS = (Step(1, 1, 10), Step(1, 30, 20), Step(2, 2, 30), Step(2, 3, None), Step(2, 3, 40, 50))


def make_project(folder: Path) -> Settings:
    """The settings of a copy of our repository in `folder`, with nothing in its lake."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY, folder / "feature_repo", ignore=ignored)
    return Settings(project_dir=folder, home=None)


def apply_definitions(settings: Settings, *, daily: bool = True) -> FeatureStore:
    """The store after fraud is applied; without `daily`, of the views that `write_steps` fills."""
    store = open_feature_store(settings)
    found = feast_objects("fraud").items()
    store.apply([value for name, value in found if daily or not _UNFILLED.search(name)])
    return store


def write_steps(
    settings: Settings,
    *,
    horizon: datetime = T0 + 72 * HOUR,
    customers: Iterable[Step] = STEPS,
    terminals: Iterable[Step] = STEPS,
) -> None:
    """Writes both window tables as a build would."""
    for spec, steps in ((CUSTOMER_WINDOWS, customers), (TERMINAL_WINDOWS, terminals)):
        table = Lake.at(settings.lake).table(f"fraud/{spec.name}")
        table.drop_days(table.days())
        rows = step_rows(spec, steps)
        for (day,), part in rows.group_by(pl.col("event_timestamp").dt.date()):
            table.write_day(day, part)
        table.write_metadata({"horizon": horizon.isoformat()})


def step_rows(spec: WindowSpec, steps: Iterable[Step]) -> pl.DataFrame:
    """The rows of a window table: counts and sums are the value, means and rates half of it."""
    types = {"int64": pl.Int64, "float64": pl.Float64}
    (key,) = spec.entity_keys
    records = []
    for step in steps:
        created = step.at if step.created is None else step.created
        half = None if step.value is None else step.value / 2
        made = {n: step.value if t == "int64" else half for n, t in spec.features().items()}
        times = {"event_timestamp": T0 + step.at * HOUR, "created_timestamp": T0 + created * HOUR}
        records.append({key: step.key, **times, **made, "valid_until_us": None})
    schema = {
        key: pl.Int64,
        "event_timestamp": pl.Datetime("us", "UTC"),
        "created_timestamp": pl.Datetime("us", "UTC"),
        **{name: types[kind] for name, kind in spec.features().items()},
        "valid_until_us": pl.Int64,
    }
    return pl.DataFrame(records, schema=schema)


def entities(*rows: tuple[int | None, int | None, float], **more: list[Any]) -> pl.DataFrame:
    """An entity frame: customer, terminal and hours after T0."""
    customers, terminals, hours = zip(*rows, strict=True)
    at = pl.Series([T0 + h * HOUR for h in hours], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {"customer_id": customers, "terminal_id": terminals, "event_timestamp": at, **more}
    )
