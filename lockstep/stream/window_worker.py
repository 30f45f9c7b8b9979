"""Consumes a topic, advances the windows of its rows and writes what is new to the online store.

Every batch ends at now: windows that empty are seen to empty without a new record. What was written
since the last checkpoint is written again after a restart, to the same bytes: the store takes a
version that it has already, and none that is older.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import polars as pl
from feast import FeatureStore, FeatureView

from lockstep.contract.clock import Clock
from lockstep.contract.record_schema import RecordSchema
from lockstep.lake.lake import Lake
from lockstep.stores.materialization import layout_of
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.stream_ledger import StreamBeginning
from lockstep.stores.view_table import ViewTable
from lockstep.stores.view_tags import tail_steps
from lockstep.stream.checkpoint import Checkpoint, Checkpoints
from lockstep.stream.codec import Codec
from lockstep.stream.port import BEGINNING, Outgoing, Position, Records, Streams
from lockstep.stream.stretch import Stretch
from lockstep.stream.window_partition import WindowPartition
from lockstep.windows.spec import WindowSpec

# After so many records that could not be read, where it is is kept at once.
_MOST_LETTERS = 10_000


@dataclass(frozen=True)
class WindowJob:
    """What one worker does: a topic, its schema, and the windows and views over it."""

    topic: str
    schema: RecordSchema
    specs: Sequence[WindowSpec]
    views: Sequence[FeatureView]
    partitions: int
    dead_letters: str
    group: str = "windows"


@dataclass
class WorkerCounts:
    """What has happened so far."""

    records: int = 0
    repeated: int = 0
    refused: int = 0
    steps: int = 0
    written: int = 0


@dataclass
class WindowWorker:
    """Owns partitions of the topic and all that is known of their rows; see `Owner`.

    `seed` gives the checkpoint at which a partition begins that has none. A batch ends
    `settle_seconds` before now: so long a record may take from its creation to the worker. One that
    takes longer is late, and its entity's steps are written again.
    """

    job: WindowJob
    streams: Streams
    feast: FeatureStore
    online: LockstepOnlineStore
    lake: Lake
    clock: Clock
    seed: Callable[[int], Checkpoint]
    checkpoint_seconds: float = 10.0
    settle_seconds: float = 0.1
    counts: WorkerCounts = field(default_factory=WorkerCounts)

    def __post_init__(self) -> None:
        job = self.job
        self._codec = Codec(job.schema)
        self._checkpoints = Checkpoints(self.lake, job.group, job.topic, job.schema, job.specs)
        self._partitions: dict[int, WindowPartition] = {}
        self._positions: dict[int, Position] = {}
        self._letters: list[bytes] = []
        self._kept_at = time.monotonic()
        self._views = {
            spec.name: (view, ViewTable(view, self.lake))
            for spec, view in zip(job.specs, job.views, strict=True)
        }
        self._stretches: dict[str, Stretch] = {}
        self._reader = self.streams.reader(job.topic, job.group, self)

    def given(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        """See `Owner`."""
        self._end_stretches()
        for partition in partitions:
            begun = self._checkpoints.read(partition) or self.seed(partition)
            self._partitions[partition] = WindowPartition(
                self.job.schema, self.job.specs, begun.rows, begun.until
            )
            self._positions[partition] = begun.position
        return {p: self._positions[p] for p in partitions if self._positions[p] != BEGINNING}

    def taken(self, partitions: Sequence[int]) -> None:
        """See `Owner`."""
        for partition in partitions:
            del self._partitions[partition], self._positions[partition]
        # What was written since stays on record as begun: the next owner writes it again.
        self._stretches = {}

    def step(self, *, most: int = 5_000, wait_seconds: float = 0.05) -> int:
        """Takes what has come, up to now, and returns how many records that was.

        Raises:
            StreamError: the stream cannot be reached.
            StoreUnavailableError: Redis cannot be reached.
            LakeError: the checkpoint cannot be written.
        """
        read = self._reader.poll(most, wait_seconds)
        found = {records.partition: records for records in read}
        until = self.clock.now() - timedelta(seconds=self.settle_seconds)
        steps: dict[str, list[pl.DataFrame]] = {spec.name: [] for spec in self.job.specs}
        for number, partition in self._partitions.items():
            records = found.get(number)
            rows = self._rows(records)
            advanced = partition.advance(rows, max(until, partition.until))
            for name, frame in advanced.steps.items():
                steps[name].append(frame)
            self.counts.repeated += advanced.repeated
            self._refuse(advanced.refused)
            if records is not None:
                self._positions[number] = records.position
        for name, frames in steps.items():
            if frames:
                self._write(name, pl.concat(frames))
        count = sum(len(records.payloads) for records in read)
        self.counts.records += count
        is_due = time.monotonic() - self._kept_at >= self.checkpoint_seconds
        if is_due or len(self._letters) >= _MOST_LETTERS:
            self.keep()
        return count

    def keep(self) -> None:
        """Keeps where every partition is.

        Raises:
            LakeError: a checkpoint cannot be written.
            LostPartitionError: a partition is somebody else's by now.
        """
        for number, partition in self._partitions.items():
            kept = Checkpoint(partition.rows, partition.until, self._positions[number])
            self._checkpoints.write(number, kept)
        positions = {p: at for p, at in self._positions.items() if at != BEGINNING}
        letters = Outgoing(self.job.dead_letters, [0] * len(self._letters), self._letters)
        if positions:
            self._reader.keep(positions, [letters] if self._letters else [])
            self._letters = []
        self._end_stretches()
        self._kept_at = time.monotonic()

    def lag(self) -> dict[int, int]:
        """How many records of each of its partitions are not behind a checkpoint yet."""
        return self._reader.lag()

    def close(self) -> None:
        """Keeps where it is, and gives its partitions back."""
        try:
            self.keep()
        finally:
            self._reader.close()

    def _rows(self, records: Records | None) -> pl.DataFrame:
        payloads = records.payloads if records else []
        decoded = self._codec.decode(payloads)
        for place, reason in decoded.refused.items():
            self._letter({"topic": self.job.topic, "reason": reason, "record": payloads[place]})
        return decoded.rows

    def _refuse(self, rows: pl.DataFrame) -> None:
        for row in rows.iter_rows(named=True):
            reason = row.pop("reason")
            self._letter({"topic": self.job.topic, "reason": reason, "row": row})

    def _letter(self, told: Mapping[str, object]) -> None:
        self._letters.append(msgspec.json.encode(told))
        self.counts.refused += 1

    def _write(self, name: str, steps: pl.DataFrame) -> None:
        view, table = self._views[name]
        end = min(partition.until for partition in self._partitions.values())
        stretch = self._stretch(name)
        rows = steps
        if not tail_steps(view):
            # Of one key only the newest step is kept; they are in order of key and times.
            rows = steps.unique(list(table.keys), keep="last", maintain_order=True)
        if rows.height:
            began = self.clock.now()
            done = self.online.write_steps(self.feast.config, view, table, rows)
            stretch.wrote(steps, began, end, done.written)
            self.counts.written += done.written
            self.counts.steps += steps.height
        else:
            stretch.wrote_nothing(end)
        if len(self._partitions) == self.job.partitions:
            self.online.advance_horizon(self.feast.config, view, end)

    def _end_stretches(self) -> None:
        for stretch in self._stretches.values():
            stretch.end()
        self._stretches = {}

    def _stretch(self, name: str) -> Stretch:
        """The record of a view's batches since the last checkpoint."""
        if name not in self._stretches:
            view, _ = self._views[name]
            self._stretches[name] = Stretch(
                self.lake,
                StreamBeginning(
                    project=self.feast.project,
                    view=view.name,
                    started=self.clock.now(),
                    definition=layout_of(view),
                    partitions=tuple(sorted(self._partitions)),
                    count=self.job.partitions,
                ),
                self.clock,
            )
        return self._stretches[name]
