"""Whose features had an erased row in them when they were served, as an audit has to know.

The log keeps what was served to others, such as a terminal at which a forgotten customer had paid.
It can no longer be computed from the lake: for these keys, and for no others, that is no mismatch
without a cause. They stand in the receipt as hashes, as the entity does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from lockstep.lake.forgotten import Forgotten
from lockstep.lake.lake import Lake
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.journal import BEGUN, read_json
from lockstep.parity.erasure.receipt import ERASURES
from lockstep.parity.erasure.traces import Traces
from lockstep.windows.spec import WindowSpec


def touched_hashes(
    forgotten: Forgotten, traces: Traces, entity: ErasedEntity, windows: Sequence[WindowSpec]
) -> dict[str, list[str]]:
    """By window table, the hashes of the keys of others whose steps the entity's rows were in."""
    others = [spec for spec in windows if entity.column not in spec.entity_keys]
    found = {
        spec.name: sorted(forgotten.hash_of(spec.name, key) for key in traces.keys[spec.name])
        for spec in others
    }
    return {name: hashes for name, hashes in found.items() if hashes}


def touched_rows(
    lake: Lake, use_case: str, view: str, keys: pl.DataFrame, answered: pl.Series
) -> pl.Series:
    """For each row whether an erasure after it was answered has touched what it was answered.

    `keys` are the join keys of a window table, in the order of its spec, `answered` are UTC.

    Raises:
        ErasureError: a receipt is damaged.
        LakeError: the hashes cannot be read.
    """
    found = pl.repeat(value=False, n=keys.height, dtype=pl.Boolean, eager=True)
    forgotten = Forgotten.read(lake, use_case)
    hashes: pl.Series | None = None
    for key in lake.list(ERASURES):
        told = {} if key.endswith(BEGUN) else read_json(lake, key)
        theirs = told.get("touched", {}).get(view, ())
        if told.get("use_case") == use_case and theirs:
            if hashes is None:
                hashes = _hashes(forgotten, view, keys)
            before = answered < datetime.fromisoformat(told["finished"])
            found |= hashes.is_in(list(theirs)) & before
    return found


def _hashes(forgotten: Forgotten, view: str, keys: pl.DataFrame) -> pl.Series:
    told = {row: forgotten.hash_of(view, row) for row in keys.unique().iter_rows()}
    return pl.Series([told[row] for row in keys.iter_rows()], dtype=pl.String)
