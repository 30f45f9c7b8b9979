"""The engines of builds behind one signature, and what they must agree on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from source_histories import NOW, T0, files

from lockstep.contract.clock import FixedClock
from lockstep.jobs.build import build
from lockstep.jobs.receipt import BuildReceipt
from lockstep.jobs.spark.build import build_with_spark
from lockstep.lake.lake import Lake
from lockstep.windows.spec import WindowSpec

Engine = Callable[..., list[BuildReceipt]]
ENGINES: dict[str, Engine] = {"local": build, "spark": build_with_spark}


def run(engine: Engine, lake: Lake, *specs: WindowSpec, **interval: int) -> list[BuildReceipt]:
    """A build; hours of `start` and `end` count from T0."""
    hours = {name: T0 + timedelta(hours=at) for name, at in interval.items() if name != "cascade"}
    cascade = bool(interval.get("cascade"))
    return engine(lake, specs, clock=FixedClock(NOW), progress=_shown, cascade=cascade, **hours)


def table_files(lake: Lake, spec: WindowSpec) -> dict[str, bytes]:
    """All files of the table that engines must agree on; the state is the local one's own."""
    found = files(lake, spec)
    return {key: data for key, data in found.items() if not key.endswith("_state.parquet")}


def _shown(what: str, share: float) -> None:
    """A progress that refuses shares which are none."""
    assert what
    assert 0 <= share <= 1
