"""What a file of corrections changes, found out before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from lockstep.jobs.arrivals import known_us
from lockstep.jobs.ingest.check import REASON, check
from lockstep.jobs.ingest.history import OUTCOME, Outcome
from lockstep.jobs.ingest.identity import numbered
from lockstep.jobs.ingest.refused import refuse_forgotten
from lockstep.jobs.ingest.settle import Settled, settle
from lockstep.jobs.ingest.source import Place, Source
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.stored import stored_facts
from lockstep.jobs.ingest.survey import survey
from lockstep.lake.content_hash import content_hash
from lockstep.lake.facts import live_rows
from lockstep.lake.forgotten import Forgotten
from lockstep.lake.lake import Lake
from lockstep.parity.erasure.errors import CorrectionError
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, WindowSpec

Keys = Mapping[str, Sequence[tuple[int, ...]]]


@dataclass(frozen=True)
class Changes:
    """What corrections change. `first_known` is, by table, when its first new fact became known.

    `created` is when the last was made, `keys` are by window table those of the rows before and
    after, `before` the hashes of the live rows by table.
    """

    rows: int
    created: datetime
    first_known: Mapping[str, datetime]
    keys: Keys
    before: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain values."""
        return {
            "rows": self.rows,
            "created": self.created.isoformat(),
            "first_known": {name: at.isoformat() for name, at in self.first_known.items()},
            "keys": {name: [list(key) for key in keys] for name, keys in self.keys.items()},
            "before": dict(self.before),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Changes:
        """What `as_json` told."""
        first = {name: datetime.fromisoformat(at) for name, at in told["first_known"].items()}
        keys = {name: [tuple(key) for key in keys] for name, keys in told["keys"].items()}
        created = datetime.fromisoformat(told["created"])
        return cls(told["rows"], created, first, keys, told["before"])


@dataclass(frozen=True)
class CorrectedRows:
    """The good rows of a source, checked, and the ids that they are of."""

    source: Source
    path: str
    rows: pl.DataFrame

    @classmethod
    def read(cls, lake: Lake, spec: IngestSpec, uri: str) -> CorrectedRows:
        """The rows of a file or a folder.

        Raises:
            IngestError: the source as a whole is refused.
            CorrectionError: it has no created times, or a row that is bad.
        """
        place = Place.at(uri)
        source = Source.of(place, [survey(place.lake, file, spec) for file in place.files])
        if not source.has_created:
            raise CorrectionError.no_created_times(place.path)
        checked = pl.concat([check(split.read(), spec) for split in source.splits])
        checked = refuse_forgotten(checked, Forgotten.read(lake, spec.use_case))
        _refuse(checked, place.path)
        return cls(source, place.path, checked)

    def changes(
        self, lake: Lake, spec: IngestSpec, windows: Sequence[WindowSpec]
    ) -> Changes | None:
        """What they would change; None where the lake says so already.

        Raises:
            CorrectionError: a row corrects what the lake does not hold, or cannot correct it.
        """
        settled = settle(self.rows, spec, lake, correctable=True)
        _refuse(settled.rows, self.path)
        self._refuse_unknown(lake, spec)
        if not settled.rows.filter(_changes()).height:
            return None
        facts = {name: rows for name, rows in settled.facts.items() if rows.height}
        first = {
            name: instant_at(rows.select(known_us().min()).item()) for name, rows in facts.items()
        }
        return Changes(
            rows=settled.rows.filter(_changes()).height,
            created=max(
                rows.select(pl.col(CREATED_TIMESTAMP).max()).item() for rows in facts.values()
            ),
            first_known=first,
            keys=_keys(settled, windows),
            before=self.hashes(lake, spec),
        )

    def hashes(self, lake: Lake, spec: IngestSpec) -> dict[str, str]:
        """For each table a hash of the rows that hold of the ids, by id and time."""
        ids = numbered(self.rows, spec).select(spec.key)
        found = {}
        for output in spec.tables:
            table = lake.table(output.name)
            rows = table.scan().join(ids.lazy(), on=spec.key, how="semi")
            live = table.collect(live_rows(rows, spec.key))
            found[output.name] = content_hash(live.sort(*spec.key, EVENT_TIMESTAMP))
        return found

    def _refuse_unknown(self, lake: Lake, spec: IngestSpec) -> None:
        rows = numbered(self.rows, spec)
        known = stored_facts(lake, spec, rows).select(spec.key)
        unknown = rows.join(known, on=spec.key, how="anti")
        if unknown.height:
            ids = unknown.get_column(spec.key[0]).unique().sort().to_list()
            raise CorrectionError.unknown_ids(self.path, ids, unknown.height)


def _changes() -> pl.Expr:
    return pl.col(OUTCOME) != Outcome.THERE.value


def _refuse(rows: pl.DataFrame, path: str) -> None:
    bad = rows.filter(pl.col(REASON).is_not_null())
    if bad.height:
        reasons = ", ".join(bad.get_column(REASON).unique().sort().head(3).to_list())
        raise CorrectionError.rejected(path, bad.height, reasons)


def _keys(settled: Settled, windows: Sequence[WindowSpec]) -> dict[str, list[tuple[int, ...]]]:
    """Of the new facts: a correction has the row before among them, which it takes back."""
    return {
        spec.name: sorted(settled.facts[spec.source].select(spec.entity_keys).unique().iter_rows())
        for spec in windows
        if spec.source in settled.facts
    }
