"""Reading parquet while others may replace it, and what is wrong when it cannot be read.

Polars reads an object in several requests: first its end, then the columns. An object that
is replaced in between gives an error or, where both versions have one layout, columns of
different versions. So the versions are compared before and after.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from os.path import commonprefix
from typing import TYPE_CHECKING, Literal, TypeVar

import polars as pl
from polars.exceptions import PanicException, PolarsError

from lockstep.lake.errors import LakeError, NoObjectError

if TYPE_CHECKING:
    from lockstep.lake.lake import Lake

Engine = Literal["auto", "streaming"]
_T = TypeVar("_T")

# After each try that saw an object change; there are as many tries.
_PAUSES_SECONDS = (0.2, 0.4, 0.8, 1.6, 0.0)


def collect(
    lake: Lake, keys: Sequence[str], rows: pl.LazyFrame, *, engine: Engine = "auto"
) -> pl.DataFrame:
    """`rows`, a query over a scan of the objects, each of them seen in one version.

    Raises:
        LakeError: see `read_unchanged`.
    """
    again = False

    def read() -> pl.DataFrame:
        nonlocal again
        query, again = (_afresh(rows) if again else rows), True
        return query.collect(engine=engine)

    return read_unchanged(lake, keys, read)


def read_unchanged(lake: Lake, keys: Sequence[str], read: Callable[[], _T]) -> _T:
    """What `read` gives, which may read the objects several times, all seen in one version.

    It is called again where one was replaced meanwhile, and must then scan them anew.

    Raises:
        LakeError: an object is absent, is not parquet, or has other columns than the first;
            the query fails on their values; or they were being replaced at each of five tries.
    """
    for attempt, pause in enumerate(_PAUSES_SECONDS):
        versions = _versions(lake, keys)
        outcome, error = _attempt(read)
        unchanged = _versions(lake, keys) == versions
        if unchanged and outcome is not None:
            return outcome
        # What Polars remembered from before may have failed the first attempt, not the objects.
        if unchanged and attempt and error is not None:
            _diagnose(lake, keys)
            named = (
                LakeError.not_by_polars if isinstance(error, OSError) else LakeError.other_values
            )
            raise named(_range(lake, keys), error) from error
        time.sleep(0 if unchanged else pause)
    raise LakeError.changing(_range(lake, keys))


def schema_of(lake: Lake, key: str) -> pl.Schema:
    """The columns of one object and their types.

    Raises:
        LakeError: it is absent, or is not parquet.
    """
    return collect(lake, [key], lake.scan_parquet([key]).head(0)).schema


def _attempt(read: Callable[[], _T]) -> tuple[_T, None] | tuple[None, BaseException]:
    try:
        return read(), None
    except (PolarsError, PanicException, OSError) as error:
        return None, error


def _afresh(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The query without what Polars remembers of the objects as it first saw them."""
    return pl.LazyFrame.deserialize(io.BytesIO(rows.serialize()))


def _versions(lake: Lake, keys: Sequence[str]) -> list[str]:
    found = lake.versions(commonprefix(keys)) if keys else {}
    for key in keys:
        if key not in found:
            raise NoObjectError.at(lake.address(key))
    return [found[key] for key in keys]


def _diagnose(lake: Lake, keys: Sequence[str]) -> None:
    """Reads each object whole: that is slow, exact, and only done after a failure."""
    first: pl.Schema | None = None
    for key in keys:
        try:
            schema = pl.read_parquet(io.BytesIO(lake.read_bytes(key))).schema
        except (PolarsError, PanicException, OSError) as error:
            raise LakeError.unreadable(lake.address(key), error) from error
        first = schema if first is None else first
        if dict(schema) != dict(first):
            raise LakeError.other_columns(lake.address(key), schema, first)


def _range(lake: Lake, keys: Sequence[str]) -> str:
    """The objects, for people."""
    if not keys:
        return f"nothing in {lake.uri}"
    first = lake.address(keys[0])
    return first if len(keys) == 1 else f"{first} to {keys[-1]}"
