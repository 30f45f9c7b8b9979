"""Scored events whose label is known: how most use cases find their labelled rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lockstep.contract.scored_events import ScoredEvents
from lockstep.lake.facts import live_rows, scan_facts
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from training.use_case import LABEL, LABEL_KNOWN_AT


@dataclass(frozen=True)
class LabelledEvents:
    """Events joined with a table of labels, which has their `row_id`.

    `label` is the column of the labels' table that says 0 or 1; `more` are further columns of
    it, such as what slices are made of. A label is known at its own event or created time,
    whichever is later, and not before its event.
    """

    events: ScoredEvents
    labels_table: str
    label: str
    more: tuple[str, ...] = ()

    def __call__(self, lake: Lake, as_of: datetime, since: datetime | None = None) -> pl.DataFrame:
        """Events with T and the label known at `as_of`, ordered by T and id.

        Of an event or label that was corrected, the newest version known at `as_of` counts;
        one that was deleted by then does not count. With `since` only events from then on.

        Raises:
            LakeError: the lake has no events or no labels, or a partition is not parquet.
        """
        events, id_ = self.events, self.events.row_id
        rows = _known_at(
            lake.table(events.table),
            as_of,
            since,
            id_,
            *events.entity_keys,
            events.t(),
            *events.request_columns,
            events.t().dt.timestamp("us").alias(events.time_column),
        ).filter(pl.col(EVENT_TIMESTAMP) <= as_of)
        labels = _known_at(
            lake.table(self.labels_table),
            as_of,
            since,
            id_,
            pl.col(self.label).cast(pl.Int64).alias(LABEL),
            *self.more,
            pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP).alias(LABEL_KNOWN_AT),
        )
        return rows.join(labels, on=id_, how="inner").sort(EVENT_TIMESTAMP, id_)


def _known_at(
    table: LakeTable, as_of: datetime, since: datetime | None, row_id: str, *columns: pl.Expr | str
) -> pl.DataFrame:
    use_case = table.name.partition("/")[0]
    facts = scan_facts(table, next_step=f"run `lockstep ingest {use_case}` first")
    if since is not None:
        # A label comes no earlier than its event, and a deletion repeats its row's time.
        facts = facts.filter(pl.col(EVENT_TIMESTAMP) >= since)
    rows = live_rows(facts, [row_id], known_as_of=as_of)
    return table.collect(rows.select(row_id, *columns))
