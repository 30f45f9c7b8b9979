"""One ingest from a source to a receipt; the same for every use case and engine."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from lockstep.jobs.ingest.check import PLACE, REASON, check, checked_schema
from lockstep.jobs.ingest.commit import Commit, complete, finish_left_over
from lockstep.jobs.ingest.counts import Counts
from lockstep.jobs.ingest.engine import Engine, Progress
from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.receipt import IngestReceipt, record, share_refused
from lockstep.jobs.ingest.refused import FORGOTTEN, refuse_forgotten
from lockstep.jobs.ingest.rejected import keep_rejected
from lockstep.jobs.ingest.settle import settle
from lockstep.jobs.ingest.source import Place, Source
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.split import Split
from lockstep.jobs.ingest.survey import survey
from lockstep.lake.forgotten import Forgotten
from lockstep.lake.lake import Lake
from lockstep.lake.stage import Stage
from lockstep.windows.spec import EVENT_TIMESTAMP


def ingest(
    spec: IngestSpec,
    uri: str | Path,
    *,
    lake: Lake,
    engine: Engine | None = None,
    max_rejected_share: float = 0.1,
    progress: Progress = lambda what, share: None,
) -> IngestReceipt:
    """The receipt of the rows of a file or a folder, now in the lake or in the side table.

    All validation comes before the first table is touched. Then the ingest is committed:
    if it is interrupted after that, the next one completes it. Ingesting the same again
    changes nothing.

    Raises:
        IngestError: the source as a whole is refused; the tables are untouched.
        LakeError: a stored partition cannot be read; the tables are untouched.
    """
    started = time.perf_counter()
    engine = engine or LocalEngine()
    finish_left_over(lake, spec, engine=engine, progress=progress)
    progress(f"reading {uri}", 0.0)
    place = Place.at(uri)
    surveys = engine.each(partial(survey, place.lake, spec=spec), place.files)
    source = Source.of(place, list(surveys))
    stage = Stage(lake, spec.use_case, source.key)
    counts = _settled(source, stage, spec=spec, engine=engine, progress=progress)
    receipt = IngestReceipt.of(source, counts, spec=spec, seconds=_since(started))
    if refusal := share_refused(receipt, place.path, allowed=max_rejected_share):
        stage.drop()
        raise refusal
    keep_rejected(source, stage, spec=spec, engine=engine)
    commit = Commit(receipt, counts.facts)
    stage.commit(commit.account())
    complete(commit, stage, spec=spec, engine=engine, progress=progress)
    receipt = replace(receipt, seconds=_since(started))
    record(receipt, lake, spec)
    stage.drop()
    return receipt


@dataclass(frozen=True)
class SettleBucket:
    """Stages what the rows of a bucket add to the tables and to the rejected ones."""

    stage: Stage
    spec: IngestSpec
    correctable: bool

    def __call__(self, number: int, rows: pl.DataFrame) -> Counts:
        """What became of the rows; those of the forgotten are counted, and no more."""
        rows_in = rows.height
        rows = rows.filter(pl.col(REASON).ne_missing(FORGOTTEN))
        settled = settle(rows, self.spec, self.stage.lake, correctable=self.correctable)
        for name, facts in settled.facts.items():
            # By time, so that a merge of some days reads few of the piece's row groups.
            self.stage.put(name, number, facts.sort(EVENT_TIMESTAMP))
        rejected = settled.rows.filter(pl.col(REASON).is_not_null())
        self.stage.put(self.spec.rejected, number, rejected.select(*PLACE, REASON))
        return Counts.of(settled, self.spec).with_forgotten(rows_in - rows.height)


def _settled(
    source: Source, stage: Stage, *, spec: IngestSpec, engine: Engine, progress: Progress
) -> Counts:
    """Every row of the source, checked, compared with the lake and staged."""
    buckets = -(-source.rows // engine.rows_a_bucket)
    progress(f"checking {source.rows:,} rows", 0.0)
    parts = engine.each_bucket(
        source.splits,
        partial(_checked, spec=spec, forgotten=Forgotten.read(stage.lake, spec.use_case)),
        SettleBucket(stage, spec, correctable=source.has_created),
        key=spec.key,
        schema=checked_schema(spec),
        buckets=buckets,
    )
    counts = Counts()
    for done, part in enumerate(parts, start=1):
        counts = counts + part
        progress(f"checking {source.rows:,} rows", done / buckets)
    return counts


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)


def _checked(split: Split, spec: IngestSpec, forgotten: Forgotten) -> pl.DataFrame:
    return refuse_forgotten(check(split.read(), spec), forgotten)
