"""One file of corrections: ingested, built, materialised, read back; repeated, it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from feast import FeatureView

from lockstep.contract.clock import Clock
from lockstep.jobs.engine import Progress
from lockstep.jobs.ingest.commit import finish_left_over
from lockstep.jobs.ingest.local import LocalEngine as LocalIngest
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.local import LocalEngine
from lockstep.jobs.plan import plan_build
from lockstep.jobs.record import read_record
from lockstep.jobs.table_build import TableBuild
from lockstep.parity.correction.corrected_rows import Changes, CorrectedRows
from lockstep.parity.correction.receipt import CORRECTIONS, Change, CorrectionReceipt
from lockstep.parity.erasure.journal import Journal, id_of
from lockstep.parity.erasure.read_back import differing
from lockstep.parity.erasure.run import Holdings
from lockstep.stores.ledger import ChangeRow, append, newest_row
from lockstep.stores.materialization import layout_of
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import WindowSpec

# As `LakeTable.coverage_end` has it: the arrival of a row is a microsecond after it.
_JUST_AFTER = timedelta(microseconds=2)


def correct(
    holdings: Holdings, uri: str, *, clock: Clock, progress: Progress
) -> CorrectionReceipt | None:
    """The receipt of the corrections of a file or a folder; None where there was nothing to do.

    All rows are taken or none. The window tables are built on from the hour in which the first
    correction became known, at least up to when the last was made; the views that were ever
    materialised are materialised as far.

    Raises:
        CorrectionError: a row is bad, or corrects what the lake does not hold.
        LockstepError: a place cannot be read or written: the same call goes on from there.
    """
    lake, spec = holdings.lake, holdings.spec
    finish_left_over(lake, spec, engine=LocalIngest(), progress=progress)
    rows = CorrectedRows.read(lake, spec, uri)
    subject = {"use_case": spec.use_case, "sha256": rows.source.sha256}
    journal = Journal.find(lake, CORRECTIONS, subject)
    if journal is None:
        changes = rows.changes(lake, spec, holdings.windows)
        if changes is None:
            return None
        before = _window_hashes(holdings)
        told = {"changes": changes.as_json(), "windows": before}
        journal = Journal(CORRECTIONS, id_of(clock.now()), subject, told)
        journal.write(lake)
    changes = Changes.from_json(journal.told["changes"])
    ingest(spec, uri, lake=lake, max_rejected_share=0.0, progress=progress)
    for window in holdings.windows:
        _build_on(holdings, window, changes, clock, progress)
    online = _materialised(holdings, changes, rows.source.sha256, clock)
    tables = rows.hashes(lake, spec)
    windows = _window_hashes(holdings)
    receipt = CorrectionReceipt(
        id=journal.id,
        use_case=spec.use_case,
        source_file=rows.source.name,
        source_sha256=rows.source.sha256,
        finished=clock.now().isoformat(),
        rows=changes.rows,
        tables=_changed(changes.before, tables),
        windows=_changed(journal.told["windows"], windows),
        online=online,
    )
    receipt.write(lake)
    journal.end(lake)
    return receipt


def _build_on(
    holdings: Holdings, spec: WindowSpec, changes: Changes, clock: Clock, progress: Progress
) -> None:
    record = read_record(holdings.lake.table(spec.table))
    first = changes.first_known.get(spec.source)
    if record is None or first is None:
        return
    now = clock.now()
    start = _hour_of(min(record.end, first))
    end = max(record.end, min(changes.created + _JUST_AFTER, now))
    plan = plan_build(holdings.lake, spec, start=start, end=end, now=now)
    TableBuild(plan, LocalEngine(plan), progress).run(cascade=True, began=now)


def _materialised(
    holdings: Holdings, changes: Changes, sha256: str, clock: Clock
) -> dict[str, Mapping[str, int]]:
    """For each view that was ever materialised, the keys that were changed, and how many differ."""
    store, lake = holdings.store, holdings.lake
    found: dict[str, Mapping[str, int]] = {}
    names = {spec.table: spec.name for spec in holdings.windows}
    for view in store.list_feature_views():
        keys = changes.keys.get(names.get(view.batch_source.path, ""), ())
        last = newest_row(lake, store.project, view.name)
        if not keys or last is None:
            continue
        row = _begun(view, store.project, len(keys), sha256, clock.now())
        append(lake, row)
        end = max(last.covered_end, min(changes.created, clock.now()))
        store.materialize(last.asked_start, end, feature_views=[view.name])
        append(lake, replace(row, finished=clock.now()))
        done = newest_row(lake, store.project, view.name) or last
        wrong = differing(store, ViewTable(view, lake), keys, done.covered_end)
        found[str(view.name)] = {"keys": len(keys), "differing": wrong}
    return found


def _begun(view: FeatureView, project: str, keys: int, content: str, now: datetime) -> ChangeRow:
    return ChangeRow(
        project=project,
        view=view.name,
        kind="correction",
        definition=layout_of(view),
        started=now,
        rows=keys,
        content=content,
    )


def _window_hashes(holdings: Holdings) -> dict[str, str]:
    tables = [spec.table for spec in holdings.windows]
    records = {name: read_record(holdings.lake.table(name)) for name in tables}
    return {name: record.content_hash for name, record in records.items() if record}


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Change]:
    return {name: Change(before.get(name, ""), hash_) for name, hash_ in after.items()}


def _hour_of(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
