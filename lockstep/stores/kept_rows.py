"""Rows of a view's source that lie beside its values in Redis: what a step was made of.

With them a step can be computed anew on top of what is stored, as soon as a request brings a
row that is not in the lake yet. A view says by a tag which rows they are: those of the last
`reach_us` before a step, as far as they were known when it was made. They lie in one field of the
entity's hash, written with the values and only with them:

    8 bytes of the declaration's hash; event and created microseconds of the step; then for each
    row, oldest first, its event microseconds and its columns; all i64, little-endian
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED, EVENT_TIMESTAMP

Ints = NDArray[np.int64]

_WORD = np.dtype("<i8")
_MARK_BYTES = 8
_HEAD_WORDS = 3
_PLACE, _STEP, _KNOWN = "__place", "__step_us", "__known_us"


@dataclass(frozen=True)
class KeptRows:
    """Which rows: of `table` in the lake, its integer `columns`, so far back in microseconds.

    A row with event time t is kept beside a step at s where t < s <= t + reach: of bars, what
    the longest window holds.
    """

    table: str
    columns: tuple[str, ...]
    reach_us: int

    @property
    def tag(self) -> str:
        """The declaration as a tag of a view; `of_tag` reads it."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_tag(cls, tag: str) -> KeptRows | None:
        """What `tag` declares; None where it declares nothing."""
        try:
            told = json.loads(tag)
            found = cls(told["table"], tuple(told["columns"]), told["reach_us"])
        except (KeyError, TypeError, ValueError):
            return None
        texts = (found.table, *found.columns)
        is_one = all(isinstance(text, str) for text in texts) and type(found.reach_us) is int
        return found if is_one and found.columns and found.reach_us > 0 else None

    @cached_property
    def mark(self) -> bytes:
        """What tells these cells from those of another declaration."""
        return hashlib.sha256(self.tag.encode()).digest()[:_MARK_BYTES]

    def held(self, facts: pl.LazyFrame, steps: pl.DataFrame, keys: Sequence[str]) -> pl.LazyFrame:
        """The rows of each of `steps`, by its number and oldest first.

        `facts` are the table's rows with event and created times, deletions among them;
        `steps` have the keys, event and created times of the versions that are written. Rows
        that are alike are interchangeable: each deletion takes one of them back.
        """
        event, created = pl.col(EVENT_TIMESTAMP), pl.col(CREATED_TIMESTAMP)
        known = pl.max_horizontal(event, created).to_physical()
        is_deleted = pl.col(DELETED) if DELETED in facts.collect_schema() else pl.lit(False)
        # What a version knows was created by when it was made, or by its step.
        asked = steps.select(*keys, event.to_physical().alias(_STEP), known.alias(_KNOWN))
        rows = facts.select(
            *(pl.col(key).cast(asked.schema[key]) for key in keys),
            event.to_physical(),
            known.alias(CREATED_TIMESTAMP),
            *(pl.col(name).cast(pl.Int64) for name in self.columns if name not in keys),
            (1 - 2 * is_deleted.cast(pl.Int64)).alias(DELETED),
        )
        in_reach = event.is_between(pl.col(_STEP) - self.reach_us, pl.col(_STEP), closed="left")
        held = rows.join(asked.with_row_index(_PLACE).lazy(), on=list(keys))
        held = held.filter(in_reach, created <= pl.col(_KNOWN))
        alike = held.group_by(_PLACE, EVENT_TIMESTAMP, *self.columns).agg(pl.col(DELETED).sum())
        copies = alike.filter(pl.col(DELETED) > 0).select(
            pl.exclude(DELETED).repeat_by(DELETED).explode()
        )
        return copies.sort(_PLACE, EVENT_TIMESTAMP, *self.columns)

    def cells(self, held: pl.DataFrame, steps: pl.DataFrame) -> list[bytes]:
        """What lies in Redis beside each of `steps`, of which these rows are `held`."""
        rows = held.select(EVENT_TIMESTAMP, *self.columns).to_numpy().astype(_WORD, order="C")
        ends = np.searchsorted(held.get_column(_PLACE).to_numpy(), np.arange(len(steps) + 1))
        times = steps.select(EVENT_TIMESTAMP, pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP))
        heads = times.select(pl.all().to_physical()).to_numpy().astype(_WORD, order="C")
        return [
            self.mark + head.tobytes() + rows[first:end].tobytes()
            for head, first, end in zip(heads, ends[:-1], ends[1:], strict=True)
        ]

    def rows_of(self, cell: bytes | None, event_us: int, created_us: int | None) -> Ints | None:
        """(rows, 1 + columns) event time and columns of what was kept; None for nothing usable.

        That is where the cell is absent, of another declaration, or of another version of the
        step than the one beside it.
        """
        width = 1 + len(self.columns)
        if cell is None or cell[:_MARK_BYTES] != self.mark or len(cell) % _WORD.itemsize:
            return None
        words = np.frombuffer(cell, _WORD)[_HEAD_WORDS:]
        version = np.frombuffer(cell, _WORD)[1:_HEAD_WORDS].tolist()
        if version != [event_us, created_us] or len(words) % width:
            return None
        return words.reshape(-1, width)
