"""A running system of its own, to plant faults in and to audit: lake, Redis, API and its log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from feast_project import apply_definitions, make_project
from fraud_project import START, Project
from redis import Redis
from serving_client import END, PREDICT, api, wait_until_ready

from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import FixedClock, SystemClock
from lockstep.jobs.build import build
from lockstep.lake.lake import Lake
from lockstep.parity.audit import Audit
from lockstep.parity.audit_result import AuditResult
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.feast_layout import entity_key
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore

TICK = timedelta(microseconds=1)
# When a materialisation up to END has ended, by its clock.
FINISHED = END + timedelta(minutes=5)
ANSWERED = FINISHED + timedelta(minutes=1)


@dataclass
class Watched:
    """The system: where its lake and its Redis are."""

    settings: Settings
    url: str

    @property
    def lake(self) -> Lake:
        """Its lake, for tests to change."""
        return Lake.at(self.settings.lake)

    @property
    def store(self) -> FeatureStore:
        """Its definitions."""
        return open_feature_store(self.settings)

    @property
    def redis(self) -> Redis:
        """Its online store, for tests to break."""
        return Redis.from_url(self.url)

    def materialize(
        self, end: datetime, *, started: datetime = FINISHED, finished: datetime = FINISHED
    ) -> None:
        """What `feast materialize` does up to `end`, by a clock that says when it was."""
        # Each view begins and ends in a thread, one view after another.
        own = threading.local()

        class Then:
            def now(self) -> datetime:
                own.has_begun = not getattr(own, "has_begun", False)
                return started if own.has_begun else finished

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REDIS_URL", self.url)
            patch.setattr("lockstep.stores.engine.SystemClock", Then)
            self.store.materialize(START - timedelta(days=1), end)

    def serve(
        self,
        bodies: Sequence[Mapping[str, Any]],
        *,
        answered: datetime = ANSWERED,
        once_ready: Callable[[], object] = bool,
    ) -> list[dict[str, Any]]:
        """The answers of the API, by a clock that says when; its log is in the lake after it."""
        with api(self.settings, self.url, answered, log_share=1.0) as client:
            wait_until_ready(client)
            once_ready()
            answers = [client.post(PREDICT, json=dict(body)) for body in bodies]
        assert {answer.status_code for answer in answers} <= {200, 422}
        return [answer.json() for answer in answers]

    def audit(self) -> AuditResult:
        """What the audit finds in the log."""
        return self.auditing().of_log(None, None, lambda what, share: None)

    def auditing(self) -> Audit:
        """The audit of it as it is now."""
        return Audit(self.store, self.lake, "fraud", WINDOW_SPECS, FixedClock(ANSWERED))

    def add_facts(self, table: str, rows: pl.DataFrame) -> None:
        """Puts rows into the days of their creation, and builds the windows again."""
        facts = self.lake.table(table)
        for (day,), part in rows.group_by(pl.col(EVENT_TIMESTAMP).dt.date()):
            held = facts.read_day(day)
            facts.write_day(day, pl.concat([held, part.select(held.columns)]))
        build(self.lake, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)

    def newest_fact(self, table: str, **keys: int) -> pl.DataFrame:
        """The last fact of an entity that had happened and was known before END."""
        facts = self.lake.table(table).scan()
        own = facts.filter(*(pl.col(name) == value for name, value in keys.items()))
        known = own.filter(pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP) < END - TICK)
        return known.sort(EVENT_TIMESTAMP).tail(1).collect()

    def hash_key(self, **keys: int) -> bytes:
        """The Redis key of an entity."""
        from feast.protos.feast.types.EntityKey_pb2 import EntityKey
        from feast.protos.feast.types.Value_pb2 import Value

        values = [Value(int64_val=value) for value in keys.values()]
        return entity_key(self.store.project, EntityKey(join_keys=keys, entity_values=values))

    def moved(self, spec: WindowSpec, asked: Sequence[Mapping[str, Any]], since: datetime) -> int:
        """Of how many requests the entity's newest step by T became known after `since`."""
        steps = self.lake.table(spec.table).scan().collect()
        known = pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP)
        found = 0
        for body in asked:
            t = datetime.fromisoformat(body["event_timestamp"])
            own = steps.filter(
                *(pl.col(name) == body[name] for name in spec.entity_keys),
                pl.col(EVENT_TIMESTAMP) <= t,
                pl.col(CREATED_TIMESTAMP) <= t,
            )
            newest = own.sort(EVENT_TIMESTAMP, CREATED_TIMESTAMP).tail(1)
            found += newest.select((known > since).any()).item()
        return found


def bodies(rows: pl.DataFrame, t: datetime) -> list[dict[str, Any]]:
    """Requests for transactions, as they were at T."""
    known = rows.select("customer_id", "terminal_id", "amount_cents").to_dicts()
    return [body | {"event_timestamp": t.isoformat()} for body in known]


@contextmanager
def watched(project: Project, folder: Path) -> Iterator[Watched]:
    """A copy of the project's lake and definitions, with its models and a Redis of its own."""
    own = make_project(folder)
    project.copy_lake(own)
    apply_definitions(own)
    with embedded_redis() as url:
        yield Watched(own.model_copy(update={"mlflow_uri": project.settings.tracking_uri}), url)
