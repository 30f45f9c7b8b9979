"""Scores the records of a topic and writes the predictions to another, each once.

What is read and what comes of it are kept together or not at all, so a prediction is there exactly
when its record counts as read. Predictions stand in the partition of the number of their record's,
in its order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import polars as pl

from lockstep.contract.record_schema import RecordSchema
from lockstep.contract.scored_events import ScoredEvents
from lockstep.contract.status import FeatureStatus
from lockstep.stores.feature_vectors import STATUSES
from lockstep.stream.codec import Codec
from lockstep.stream.errors import LostPartitionError
from lockstep.stream.port import Outgoing, Position, Records, Streams
from lockstep.windows.spec import EVENT_TIMESTAMP
from serving.model_store import ModelStore
from serving.rows import Asked, Scored
from serving.scorer import Scorer

_PRESENT = STATUSES.index(FeatureStatus.PRESENT)


@dataclass(frozen=True)
class ScoreJob:
    """What one scorer does: the events that it scores, their records, and three topics."""

    events: ScoredEvents
    schema: RecordSchema
    topic: str
    predictions: str
    dead_letters: str
    group: str = "scorer"


@dataclass
class ScorerCounts:
    """What has happened so far."""

    records: int = 0
    predictions: int = 0
    refused: int = 0
    dead_letters: int = 0
    lost_batches: int = 0


@dataclass
class StreamScorer:
    """A member of the group that scores a topic, by the champion that `models` has; see `Owner`."""

    job: ScoreJob
    streams: Streams
    models: ModelStore
    counts: ScorerCounts = field(default_factory=ScorerCounts)

    def __post_init__(self) -> None:
        self._codec = Codec(self.job.schema)
        self._pending: list[Records] = []
        self._reader = self.streams.reader(self.job.topic, self.job.group, self)

    def given(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        """See `Owner`: where the group kept to be."""
        return {}

    def taken(self, partitions: Sequence[int]) -> None:
        """See `Owner`: nothing of them is held between two batches."""

    async def step(self, *, most: int = 2_000, wait_seconds: float = 0.05) -> int:
        """Scores what has come, and returns how many records that was.

        A batch whose partitions went to somebody else meanwhile leaves nothing behind. One that
        could not be scored is the next one again: nothing more is read until then.

        Raises:
            StreamError: the stream cannot be reached.
            LockstepError: there is no model, or the online store cannot be reached.
        """
        read = self._pending or await asyncio.to_thread(self._reader.poll, most, wait_seconds)
        if not read:
            return 0
        self._pending = read
        serving = await self.models.found()
        payloads = [payload for records in read for payload in records.payloads]
        decoded = self._codec.decode(payloads)
        partitions = np.repeat(
            [records.partition for records in read], [len(records.payloads) for records in read]
        )
        outgoing = []
        if letters := self._letters(payloads, decoded.refused):
            outgoing.append(Outgoing(self.job.dead_letters, [0] * len(letters), letters))
        refused = 0
        if decoded.rows.height:
            asked = self._asked(decoded.rows)
            scored = await serving.champion.score(asked)
            told = self._predictions(serving.champion, decoded.rows, asked, scored)
            places = partitions[decoded.places].tolist()
            outgoing.append(Outgoing(self.job.predictions, places, told))
            refused = len(scored.refused)
        is_kept = await asyncio.to_thread(self._keep, read, outgoing)
        self._pending = []
        if not is_kept:
            self.counts.lost_batches += 1
            return 0
        self.counts.records += len(payloads)
        self.counts.predictions += decoded.rows.height
        self.counts.refused += refused
        self.counts.dead_letters += len(letters)
        return len(payloads)

    def lag(self) -> dict[int, int]:
        """How many records of each of its partitions are not scored yet."""
        return self._reader.lag()

    def close(self) -> None:
        """Gives its partitions back."""
        self._reader.close()

    def _keep(self, read: Sequence[Records], outgoing: Sequence[Outgoing]) -> bool:
        try:
            self._reader.keep({r.partition: r.position for r in read}, outgoing)
        except LostPartitionError:
            return False
        return True

    def _letters(self, payloads: Sequence[bytes], refused: Mapping[int, str]) -> list[bytes]:
        return [
            msgspec.json.encode(
                {"topic": self.job.topic, "reason": reason, "record": payloads[place]}
            )
            for place, reason in sorted(refused.items())
        ]

    def _asked(self, rows: pl.DataFrame) -> Asked:
        """The rows as requests at their own T: what happens at T is not known at T."""
        events = self.job.events
        t_us = (rows.get_column(EVENT_TIMESTAMP).to_physical() + events.delay_us).to_list()
        request = {name: rows.get_column(name).to_list() for name in events.request_columns}
        return Asked(
            rows.select(events.entity_keys).to_dicts(), {**request, events.time_column: t_us}, t_us
        )

    def _predictions(
        self, scorer: Scorer, rows: pl.DataFrame, asked: Asked, scored: Scored
    ) -> list[bytes]:
        events, served = self.job.events, scorer.served
        columns = scorer.listed_stored
        codes = scored.read.codes.take(columns, axis=1)
        names = [scorer.plan.features[column].name for column in columns.tolist()]
        statuses: dict[int, dict[str, str]] = {}
        for row, column in zip(*np.nonzero(codes != _PRESENT), strict=True):
            told = statuses.setdefault(int(row), {})
            told[names[column]] = STATUSES[codes[row, column]].value
        ids = rows.get_column(events.row_id).to_list()
        scores, decided = scored.scores.tolist(), scored.decided.tolist()
        encode = msgspec.json.encode
        found = []
        for row, row_id in enumerate(ids):
            document: dict[str, Any] = {
                events.row_id: row_id,
                **asked.entities[row],
                "event_timestamp_us": asked.t_us[row],
                "model_version": served.version,
                "statuses": statuses.get(row, {}),
            }
            if row in scored.refused:
                document["refused"] = str(scored.refused[row])
            else:
                document["score"] = scores[row]
                document["decision"] = events.decision(decided[row])
            found.append(encode(document))
        return found
