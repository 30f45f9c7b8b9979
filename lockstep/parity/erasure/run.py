"""One erasure, place after place; broken off anywhere, it is gone on with by the same call.

What depends on rows goes before them, and what is made of them after: the log's predictions are
found by its features, window tables are built from what is left, and the online store is written
from those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockstep.contract.clock import Clock
from lockstep.jobs.engine import Progress
from lockstep.jobs.ingest.commit import finish_left_over
from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.record import read_record
from lockstep.lake.forgotten import Forgotten
from lockstep.lake.lake import Lake
from lockstep.parity.erasure.documents import KeptAudits
from lockstep.parity.erasure.elsewhere import Elsewhere, SourceFiles
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.journal import Journal, id_of
from lockstep.parity.erasure.lake_rows import lake_rows, logged_rows
from lockstep.parity.erasure.marks import mark_receipts
from lockstep.parity.erasure.models import CachedModels, ModelRecords
from lockstep.parity.erasure.online import OnlineRows
from lockstep.parity.erasure.place import Found, Place
from lockstep.parity.erasure.receipt import ERASURES, NONE_EXIST, ErasureReceipt, PlaceProof
from lockstep.parity.erasure.saved import SavedDatasets
from lockstep.parity.erasure.steps import StepTables
from lockstep.parity.erasure.touched import touched_hashes
from lockstep.parity.erasure.traces import Traces
from lockstep.windows.spec import WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore


@dataclass(frozen=True)
class Holdings:
    """Where a use case keeps things: `spec` is how its files are ingested, `windows` its tables.

    `tracking_uri` is MLflow's, `cached_models` the folder of the servers' copies of its models.
    """

    lake: Lake
    store: FeatureStore
    spec: IngestSpec
    windows: Sequence[WindowSpec]
    tracking_uri: str
    cached_models: Path


def forget(
    holdings: Holdings,
    entity: ErasedEntity,
    *,
    clock: Clock,
    progress: Progress,
    dry_run: bool = False,
) -> ErasureReceipt:
    """The receipt of the erasure of all that is known of the entity; it stands in the lake.

    From then on ingests refuse its rows. Where nothing is found nothing changes, and the receipt
    says so. A dry run counts, changes nothing and leaves no receipt; nor does it see what an
    interrupted ingest has committed, which an erasure first completes. No ingest, build or
    materialisation of the use case may run at the same time.

    Raises:
        LockstepError: a place cannot be read or written: the same call goes on from there.
    """
    erasure = _Erasure(holdings, entity, clock, progress)
    return erasure.counted() if dry_run else erasure.done()


class _Erasure:
    """One call of `forget`."""

    def __init__(
        self, holdings: Holdings, entity: ErasedEntity, clock: Clock, progress: Progress
    ) -> None:
        self._held, self._entity = holdings, entity
        self._clock, self._progress = clock, progress
        self._lake, self._use_case = holdings.lake, holdings.spec.use_case
        self._forgotten = Forgotten.read(self._lake, self._use_case)
        self._hash = self._forgotten.hash_of(entity.column, entity.value)
        subject = {"use_case": self._use_case, "column": entity.column, "value": entity.value}
        self._broken = Journal.find(self._lake, ERASURES, subject)
        self._id = self._broken.id if self._broken else id_of(clock.now())
        self._subject = subject

    def counted(self) -> ErasureReceipt:
        """What would be erased."""
        traces = self._traces()
        found = self._found(self._places(traces), "counting")
        return self._receipt(traces, found, found, {}, is_dry_run=True)

    def done(self) -> ErasureReceipt:
        """What was erased."""
        finish_left_over(self._lake, self._held.spec, engine=LocalEngine(), progress=self._progress)
        traces = self._traces()
        places = self._places(traces)
        before = self._before(places)
        rows = sum(found.rows for found in before.values())
        if rows:
            self._erase(places, traces, before)
        after = self._found(places, "reading back")
        others = _online(places).compared() if rows else {}
        receipt = self._receipt(traces, before, after, others, is_dry_run=False)
        receipt.write(self._lake)
        if rows:
            self._journal(traces, before).end(self._lake)
        return receipt

    def _erase(self, places: Sequence[Place], traces: Traces, before: Mapping[str, Found]) -> None:
        """The journal first, then the refusal of further rows, then place after place."""
        self._journal(traces, before).write(self._lake)
        self._forgotten.also(self._entity.column, self._entity.value).write(self._lake)
        for done, place in enumerate(places):
            self._progress(f"erasing: {place.name}", done / len(places))
            place.erase()
        mark_receipts(self._lake, self._held.spec, self._held.windows, self._id)

    def _traces(self) -> Traces:
        told = self._broken.told["traces"] if self._broken else None
        earlier = Traces.from_json(told) if told else Traces.nothing()
        windows = self._held.windows
        return earlier + Traces.of(self._lake, self._entity, self._use_case, windows)

    def _before(self, places: Sequence[Place]) -> dict[str, Found]:
        """What was there when the erasure began, if that was an earlier call."""
        if self._broken:
            return {name: Found(*counts) for name, counts in self._broken.told["before"].items()}
        return self._found(places, "looking")

    def _found(self, places: Sequence[Place], doing: str) -> dict[str, Found]:
        found = {}
        for done, place in enumerate(places):
            self._progress(f"{doing}: {place.name}", done / len(places))
            found[place.name] = place.find()
        return found

    def _journal(self, traces: Traces, before: Mapping[str, Found]) -> Journal:
        counts = {name: [found.rows, found.objects] for name, found in before.items()}
        told = {"traces": traces.as_json(), "before": counts}
        return Journal(ERASURES, self._id, self._subject, told)

    def _places(self, traces: Traces) -> list[Place]:
        """In the order of erasing."""
        held, entity, lake = self._held, self._entity, self._lake
        logged = logged_rows(lake, self._use_case, entity, traces.requests)
        rows = lake_rows(lake, held.spec, entity)
        saved = SavedDatasets(held.store, lake, entity, self._id)
        steps = StepTables(lake, entity, held.windows, self._clock, self._progress)
        known = [key for place in (*logged, *rows) for key in place.listed()]
        return [
            *logged,
            KeptAudits(lake, self._use_case, traces.requests),
            saved,
            ModelRecords(held.tracking_uri, self._use_case, entity, self._id, traces.first_known),
            CachedModels(held.cached_models, entity),
            *rows,
            steps,
            OnlineRows(
                held.store, lake, entity, traces, held.windows, self._clock, told=self._hash
            ),
            SourceFiles(lake, held.spec),
            Elsewhere(lake, entity, frozenset([*known, *steps.objects(), *saved.objects()])),
        ]

    def _receipt(
        self,
        traces: Traces,
        before: Mapping[str, Found],
        after: Mapping[str, Found],
        others: Mapping[str, int],
        *,
        is_dry_run: bool,
    ) -> ErasureReceipt:
        proofs = [
            PlaceProof(name, was.rows, was.objects, after[name].rows, after[name].remains)
            for name, was in before.items()
        ]
        first = traces.first_known
        records = {
            spec.table: read_record(self._lake.table(spec.table)) for spec in self._held.windows
        }
        return ErasureReceipt(
            id=self._id,
            use_case=self._use_case,
            column=self._entity.column,
            entity=self._hash,
            started=self._id,
            finished=self._clock.now().isoformat(),
            is_dry_run=is_dry_run,
            first_known_day=str(first.date()) if first else None,
            places=(*proofs, PlaceProof("dead letters", 0, 0, 0, (NONE_EXIST,))),
            tables={name: record.content_hash for name, record in records.items() if record},
            others=others,
            touched=touched_hashes(self._forgotten, traces, self._entity, self._held.windows),
        )


def _online(places: Sequence[Place]) -> OnlineRows:
    (online,) = (place for place in places if isinstance(place, OnlineRows))
    return online
