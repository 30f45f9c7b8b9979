"""The account of one ingest: every row that came in is in exactly one of its counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lockstep.jobs.ingest.column import Problem
from lockstep.jobs.ingest.counts import Counts
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.source import Source, source_key
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.lake import Lake

_METADATA_KEY = "ingests"
_REASONS_SHOWN = 3


@dataclass(frozen=True)
class IngestReceipt:
    """Where the rows of one source went: accepted, already there or rejected.

    Of the accepted, `corrections` and `deletions` are such, and `late` are other rows that
    were created after their event; the rest came on time. Of the rejected, `duplicates`
    repeat an id of the source, and `out_of_range` have a value too small or too large.
    `rejected_by_reason` counts a row under each of its reasons, so its sum may exceed
    `rejected`. `days_written` counts the partitions by table; the first and the last day
    are those of rows that were not rejected, None when there are none. `forgotten` rows are of
    somebody whom the use case has forgotten: they are kept nowhere, good or bad.
    `created_time_from` says whether created times are the source's own or were taken from
    the event times.

    Raises:
        IngestError: the counts do not add up to `rows_in`, or to `accepted`.
    """

    use_case: str
    source_file: str
    source_sha256: str
    rows_in: int
    accepted: int
    already_there: int
    rejected: int
    corrections: int
    deletions: int
    late: int
    duplicates: int
    out_of_range: int
    rejected_by_reason: Mapping[str, int]
    first_day: str | None
    last_day: str | None
    days_written: Mapping[str, int]
    created_time_from: Literal["event_time", "column"]
    seconds: float
    forgotten: int = 0

    def __post_init__(self) -> None:
        accounted = self.accepted + self.already_there + self.rejected + self.forgotten
        if accounted != self.rows_in:
            raise IngestError.unbalanced(self.rows_in, accounted=accounted)
        not_on_time = self.corrections + self.deletions + self.late
        if not_on_time > self.accepted:
            raise IngestError.unbalanced(self.accepted, accounted=not_on_time)

    @classmethod
    def of(
        cls, source: Source, counts: Counts, *, spec: IngestSpec, seconds: float
    ) -> IngestReceipt:
        """The account of what was counted."""
        days = sorted(counts.by_day)
        written = {t.name: sum(name == t.name for name, _ in counts.facts) for t in spec.tables}
        by_reason = sorted(counts.by_reason.items(), key=lambda item: (-item[1], item[0]))
        return cls(
            use_case=spec.use_case,
            source_file=source.name,
            source_sha256=source.sha256,
            **{name: counts.rows[name] for name in _COUNTED},
            rejected_by_reason=dict(by_reason),
            first_day=str(days[0]) if days else None,
            last_day=str(days[-1]) if days else None,
            days_written=written,
            created_time_from="column" if source.has_created else "event_time",
            seconds=seconds,
        )


_COUNTED = (
    "rows_in",
    "accepted",
    "already_there",
    "rejected",
    "corrections",
    "deletions",
    "late",
    "duplicates",
    "out_of_range",
    "forgotten",
)


def record(receipt: IngestReceipt, lake: Lake, spec: IngestSpec) -> None:
    """Writes the receipt into the metadata of the tables it wrote to, and of the side table.

    It stands there under its source's content; other sources' receipts and other keys stay.
    So does that of the ingest that brought the rows, where this one found them all there.
    """
    written = [table.name for table in spec.tables]
    for name in (*written, spec.rejected):
        table = lake.table(name)
        metadata = table.metadata()
        receipts: dict[str, Any] = metadata.get(_METADATA_KEY, {})
        key = source_key(receipt.source_sha256)
        if receipt.accepted or key not in receipts:
            table.write_metadata({**metadata, _METADATA_KEY: receipts | {key: asdict(receipt)}})


def share_refused(receipt: IngestReceipt, path: str, *, allowed: float) -> IngestError | None:
    """The error where more than the `allowed` share of rows is bad; names the main reasons."""
    if receipt.rejected / receipt.rows_in <= allowed:
        return None
    reasons = list(receipt.rejected_by_reason.items())
    shown = [f"{reason} in {count:,}" for reason, count in reasons[:_REASONS_SHOWN]]
    next_step = "mend the file, or allow more with --max-rejected-share"
    if reasons[0][0] == Problem.CONFLICTING_ID:
        next_step = (
            "the lake holds other values under these ids: ingest with the same options as "
            "the first time, or into another LOCKSTEP_HOME"
        )
    return IngestError.too_many_rejected(
        path,
        rejected=receipt.rejected,
        rows=receipt.rows_in,
        allowed=allowed,
        reasons=", ".join(shown),
        next_step=next_step,
    )
