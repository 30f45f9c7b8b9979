"""Market: at each bar's end, was it right to buy, to sell, or to do nothing?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from lockstep.contract.market import SCORED_EVENTS
from lockstep.jobs.ingest.market import DEFAULT_INTERVAL
from lockstep.lake.facts import live_rows, scan_facts
from lockstep.lake.lake import Lake
from lockstep.windows.duration import duration_us
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from training.daily_share import DailyShare
from training.fit import FitParameters
from training.scored_rows import ScoredRows
from training.split_rules import SplitRules
from training.tasks.several_classes import SeveralClasses
from training.triple_barrier import BUY_RETURN, SELL_RETURN, Barriers, triple_barrier
from training.use_case import LABEL, LABEL_KNOWN_AT, UseCase

BARRIERS = Barriers()
INTERVAL_US = duration_us(DEFAULT_INTERVAL)
# Bars before the first one that is asked for: what its barriers are made of, and to spare.
_LOOKBACK = timedelta(microseconds=2 * BARRIERS.deviation_bars * INTERVAL_US)
_PRICES = tuple(f"{name}_ticks" for name in ("open", "high", "low", "close"))
MOMENTUM = "return_24b"


def labelled_bars(lake: Lake, as_of: datetime, since: datetime | None = None) -> pl.DataFrame:
    """Bars whose barriers' horizon had passed at `as_of`, at the T of their decision.

    Raises:
        LakeError: the lake has no bars, or a partition is not parquet.
    """
    events = SCORED_EVENTS
    table = lake.table(events.table)
    facts = scan_facts(table, next_step="run `lockstep ingest market` first")
    if since is not None:
        facts = facts.filter(pl.col(EVENT_TIMESTAMP) >= since - _LOOKBACK)
    columns = (events.row_id, *events.entity_keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP, *_PRICES)
    bars = live_rows(facts, [events.row_id], known_as_of=as_of).select(columns)
    found = [
        triple_barrier(of_asset, INTERVAL_US, BARRIERS)
        for of_asset in table.collect(bars).sort(EVENT_TIMESTAMP).partition_by(*events.entity_keys)
    ]
    wanted = pl.col(LABEL_KNOWN_AT) <= as_of
    if since is not None:
        wanted &= events.t() >= since
    return (
        pl.concat(found)
        .filter(wanted)
        .select(
            events.row_id,
            *events.entity_keys,
            events.t(),
            events.t().dt.timestamp("us").alias(events.time_column),
            LABEL,
            LABEL_KNOWN_AT,
            BUY_RETURN,
            SELL_RETURN,
        )
        .sort(EVENT_TIMESTAMP, events.row_id)
    )


def against_momentum(scored: ScoredRows) -> Mapping[str, DailyShare]:
    """What a rule earns that buys what rose over the last 24 bars and sells what fell.

    And how much more was earned by the decisions than by it; both per row.
    """
    task, rows = MARKET, scored.rows
    if MOMENTUM not in rows.columns:
        return {}
    rise = rows.get_column(MOMENTUM).cast(pl.Float64).fill_null(0.0).to_numpy()
    rule = task.earned_by(rows, np.select([rise > 0, rise < 0], [1, 2], 0))
    gained = task.earned_by(rows, scored.decided)
    count = scored.days.sums(np.ones(rows.height))
    return {
        "momentum_earned_per_row": DailyShare(scored.days.sums(rule), count),
        "earned_over_momentum_per_row": DailyShare(scored.days.sums(gained - rule), count),
    }


MARKET = SeveralClasses(SCORED_EVENTS.decisions, (BUY_RETURN, SELL_RETURN))

USE_CASE = UseCase(
    name="market",
    feature_service="market_v1",
    row_id=SCORED_EVENTS.row_id,
    labels_table=SCORED_EVENTS.table,
    entity_rows=labelled_bars,
    task=MARKET,
    # A label looks three days ahead.
    split=SplitRules(test_days=90, validation_days=90, embargo_days=3),
    parameters=FitParameters(depth=4, learning_rate=0.03, l2_leaf_reg=10.0),
    daily_shares=against_momentum,
    block_days=7,
    # An edge: better than knowing how often each happens, in the direction too, after costs,
    # and better than following the trend.
    floors={
        "log_loss_below_constant": 0.0,
        "buy_against_sell_auc": 0.5,
        "earned_per_decision": 0.0,
        "earned_over_momentum_per_row": 0.0,
    },
    verdict="no edge",
)
