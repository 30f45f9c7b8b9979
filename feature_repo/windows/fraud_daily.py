"""Daily marts of customers and terminals: what the last 7 and 30 days held, at midnight.

Payments are one source, verdicts another: a payment is known when it happens, a verdict when
it is reported, so each has marts of its own. A mart has a row for every midnight at which
its longest window holds anything, and one more when it no longer does.
"""

from __future__ import annotations

from lockstep.windows.spec import Aggregation, Ratio, WindowSpec

_COUNT = Aggregation("count", what="tx")
_TOTAL = Aggregation("sum", "amount_cents")
_ACTIVE_DAYS = Aggregation("active_days", what="tx")
_VERDICTS = Aggregation("count", what="verdict")
_VERDICT_DAYS = Aggregation("active_days", what="verdict")
_FRAUDS = Aggregation("count", what="fraud", where="fraud")
_BAD_DAYS = Aggregation("active_days", what="bad", where="fraud")


def _payments(entity: str, counterpart: str) -> WindowSpec:
    return WindowSpec(
        name=f"{entity}_daily",
        source="fraud/transactions",
        entity=f"{entity}_daily",
        entity_keys=(f"{entity}_id",),
        windows=("7d", "30d"),
        aggregations=(
            _COUNT,
            _ACTIVE_DAYS,
            Aggregation("distinct", f"{counterpart}_id", what=counterpart),
            _TOTAL,
            Aggregation("min", "amount_cents"),
            Aggregation("max", "amount_cents"),
            Aggregation("median", "amount_cents"),
            Aggregation("last_event_time", what="tx"),
        ),
        ratios=(
            Ratio("amount_cents_per_active_day", of=_TOTAL, to=_ACTIVE_DAYS),
            Ratio("tx_per_active_day", of=_COUNT, to=_ACTIVE_DAYS),
        ),
        resolution="1d",
        snapshots=True,
    )


def _verdicts(entity: str) -> WindowSpec:
    return WindowSpec(
        name=f"{entity}_verdicts_daily",
        source="fraud/verdicts",
        entity=f"{entity}_daily",
        entity_keys=(f"{entity}_id",),
        windows=("7d", "30d"),
        aggregations=(_VERDICTS, _FRAUDS),
        ratios=(
            Ratio("fraud_share", of=_FRAUDS, to=_VERDICTS),
            Ratio("bad_day_share", of=_BAD_DAYS, to=_VERDICT_DAYS),
        ),
        resolution="1d",
        snapshots=True,
    )


CUSTOMER_DAILY = _payments("customer", counterpart="terminal")
TERMINAL_DAILY = _payments("terminal", counterpart="customer")
CUSTOMER_VERDICTS_DAILY = _verdicts("customer")
TERMINAL_VERDICTS_DAILY = _verdicts("terminal")
DAILY_SPECS = (CUSTOMER_DAILY, TERMINAL_DAILY, CUSTOMER_VERDICTS_DAILY, TERMINAL_VERDICTS_DAILY)
