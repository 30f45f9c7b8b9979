"""What holds of every row of steps, whatever the events were."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

from lockstep.windows.spec import (
    CREATED_TIMESTAMP,
    EVENT_TIMESTAMP,
    VALID_UNTIL,
    Aggregation,
    WindowSpec,
)

# A longer window holds the rows of a shorter one, so these cannot shrink with its length.
_GROWING = {"count", "distinct", "active_days", "max"}
_NEVER_NEGATIVE = {"count", "distinct", "active_days", "std"}


def invariants(spec: WindowSpec) -> dict[str, pl.Expr]:
    """Conditions by what they say, each true of a row or null where it does not apply.

    >>> spec = WindowSpec("card_windows", source="bank/payments", entity="card",
    ...                   entity_keys=("card_id",), windows=("1d", "7d"),
    ...                   aggregations=(Aggregation("count", what="payment"),))
    >>> list(invariants(spec))[4:]
    ['card_payment_count_1d >= 0', 'card_payment_count_7d >= 0', \
'card_payment_count_1d <= card_payment_count_7d']
    """
    found = {f"{key} is there": pl.col(key).is_not_null() for key in spec.entity_keys}
    for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP):
        found[f"{name} is there"] = pl.col(name).is_not_null()
    until = pl.col(VALID_UNTIL) > pl.col(EVENT_TIMESTAMP).dt.timestamp("us")
    found[f"{VALID_UNTIL} is after {EVENT_TIMESTAMP}"] = until
    for aggregation in spec.aggregations:
        found |= _of(spec, aggregation)
    return found


def _of(spec: WindowSpec, aggregation: Aggregation) -> dict[str, pl.Expr]:
    names = [spec.feature(aggregation, window) for window in spec.windows]
    found: dict[str, pl.Expr] = {}
    if aggregation.function in _NEVER_NEGATIVE:
        found |= {f"{name} >= 0": pl.col(name) >= 0 for name in names}
    if aggregation.function == "rate":
        found |= {f"{name} is from 0 to 1": pl.col(name).is_between(0, 1) for name in names}
    if aggregation.function in _GROWING:
        found |= {f"{a} <= {b}": pl.col(a) <= pl.col(b) for a, b in pairwise(names)}
    if aggregation.function == "min":
        found |= {f"{a} >= {b}": pl.col(a) >= pl.col(b) for a, b in pairwise(names)}
    return found
