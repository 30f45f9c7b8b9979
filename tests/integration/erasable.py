"""A project of its own that something can be erased from, as the command line reaches it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from feature_repo.store import open_feature_store
from feature_repo.windows import fraud
from lockstep.contract.clock import SystemClock
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.lake.lake import Lake
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.receipt import ErasureReceipt
from lockstep.parity.erasure.run import Holdings, forget
from lockstep.settings import Settings

CUSTOMER = 42
AT = datetime(2018, 5, 11, tzinfo=UTC)


class PowerCutError(Exception):
    """What no part of the program expects."""


def holdings(settings: Settings, spec: Any = None, windows: Any = fraud.WINDOW_SPECS) -> Holdings:
    """Where the project keeps things; of fraud unless told otherwise."""
    spec = spec or ingest_spec()
    return Holdings(
        lake=Lake.at(settings.lake),
        store=open_feature_store(settings),
        spec=spec,
        windows=windows,
        tracking_uri=settings.tracking_uri,
        cached_models=settings.home_dir / "models" / spec.use_case,
    )


def forgotten(
    settings: Settings,
    redis_url: str,
    *,
    column: str = "customer_id",
    value: int = CUSTOMER,
    **told: Any,
) -> ErasureReceipt:
    """The receipt of the erasure of one id; fraud's unless `spec` and `windows` are `told`."""
    dry_run = bool(told.pop("dry_run", False))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        return forget(
            holdings(settings, **told),
            ErasedEntity(column, value),
            clock=SystemClock(),
            progress=_ignore,
            dry_run=dry_run,
        )


def rows_of(lake: Lake, column: str, value: int) -> dict[str, int]:
    """The rows that have the id, by object, in all parquet of the lake; text counts too."""
    found = {}
    for key in lake.list(""):
        if key.endswith(".parquet"):
            rows = lake.read_parquet(key)
            if column in rows.columns:
                theirs = rows.filter(pl.col(column).cast(pl.String) == str(value))
                if theirs.height:
                    found[key] = theirs.height
    return found


def cut_at(target: Any, name: str, call: int) -> Callable[[pytest.MonkeyPatch], None]:
    """The power goes as something is called for the so-maniest time."""

    def arrange(patch: pytest.MonkeyPatch) -> None:
        real, calls = getattr(target, name), 0

        def cut(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                raise PowerCutError(name)
            return real(*args, **kwargs)

        patch.setattr(target, name, cut)

    return arrange


def _ignore(what: str, share: float) -> None:
    pass
