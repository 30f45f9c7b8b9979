"""An online store in plain Python, random histories: the audit never errs in either direction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import polars as pl
import pytest
from feast_project import HOUR, T0, TICK, Step, apply_definitions, step_rows, write_steps

from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.contract.clock import FixedClock
from lockstep.lake.lake import Lake
from lockstep.parity.audit import Audit
from lockstep.parity.audit_service import ServiceAudit
from lockstep.parity.causes import Cause
from lockstep.parity.joined import Joined, join_exact
from lockstep.parity.served_rows import FOUND, FUTURE, KIND_TYPE, NOT_FOUND, ServedRows
from lockstep.parity.store_states import StoreStates
from lockstep.parity.why_stored import WhyStored
from lockstep.settings import Settings
from lockstep.stores.ledger import LedgerRow, append
from lockstep.stores.materialization import layout_of
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import WindowSpec

SPECS = {"customer_windows": CUSTOMER_WINDOWS, "terminal_windows": TERMINAL_WINDOWS}
TIME = pl.Datetime("us", "UTC")
HOURS, REQUESTS = 40, 250
END = T0 + 72 * HOUR


class Run(NamedTuple):
    """What a materialisation covered, and when it had ended."""

    finished: datetime
    cut: datetime


class Asked(NamedTuple):
    """A request: whom, for which T, and when it was answered."""

    key: int
    t: datetime
    answered: datetime


def at(hours: float) -> datetime:
    return T0 + hours * HOUR


def history(random: Random) -> list[Step]:
    """Steps of five entities: late ones, and versions of one event, among them."""
    found: dict[tuple[int, float, float], Step] = {}
    for _ in range(60):
        key, event = random.randrange(5), random.randrange(HOURS * 2) / 2
        created = event + random.choice([0, 0, 0, 1, 5, 20])
        value = random.choice([None, *range(6)])
        found[key, event, created] = Step(key, event, value, created)
    return list(found.values())


def newest(steps: list[Step], key: int, until: datetime) -> Step | None:
    """The step that is seen of an entity, of those that were known."""
    known = [s for s in steps if s.key == key and max(at(s.at), at(s.created or s.at)) <= until]
    return max(known, key=lambda s: (s.at, s.created or s.at), default=None)


def answer(step: Step | None, t: datetime) -> tuple[str, Step | None]:
    """What a store that holds the step says at T."""
    if step is None:
        return NOT_FOUND, None
    if max(at(step.at), at(step.created or step.at)) > t:
        return FUTURE, None
    return FOUND, step


class World:
    """A lake with random steps, a ledger of random runs, and the store that they make."""

    def __init__(self, settings: Settings, seed: int) -> None:
        random = Random(seed)
        self.steps = {name: history(random) for name in SPECS}
        customers, terminals = self.steps.values()
        write_steps(settings, horizon=END, customers=customers, terminals=terminals)
        self.store = apply_definitions(settings, daily=False)
        lake = Lake.at(settings.lake)
        ends = sorted(random.sample(range(1, HOURS), 6))
        self.runs = [Run(at(e) + random.choice([1, 30, 90]) * TICK * 10**6, at(e)) for e in ends]
        for name in SPECS:
            definition = layout_of(self.store.get_feature_view(name))
            for done, cut in self.runs:
                append(
                    lake,
                    LedgerRow(
                        "lockstep", name, cut, done, T0, cut, cut, cut, definition, {}, 1, 1, 0
                    ),
                )
        first = self.runs[0].finished
        self.asked = [
            Asked(
                random.randrange(6),
                at(random.uniform(0, HOURS + 10)),
                first + random.uniform(0, HOURS + 10) * HOUR,
            )
            for _ in range(REQUESTS)
        ]
        # Not while a run is under way, nor within the slack after its end.
        self.asked = [a for a in self.asked if not self._is_near_a_run(a.answered)]
        audit = Audit(self.store, lake, "fraud", (), FixedClock(END))
        whole = audit._service("fraud_v1")
        self.audit: ServiceAudit = replace(whole, views=whole.views.stored_alone())

    def _is_near_a_run(self, instant: datetime) -> bool:
        near = timedelta(seconds=10)
        return any(cut - near <= instant <= done + near for done, cut in self.runs)

    def held(self, name: str, asked: Asked) -> tuple[str, Step | None]:
        """What the store answers."""
        cut = max(run.cut for run in self.runs if run.finished <= asked.answered)
        return answer(newest(self.steps[name], asked.key, cut), asked.t)

    def exact(self, name: str, asked: Asked) -> tuple[str, Step | None]:
        """What the join gives."""
        return answer(newest(self.steps[name], asked.key, asked.t), asked.t)

    def served(self) -> ServedRows:
        """The answers, as the audit takes them."""
        values, kinds, steps = [], {}, {}
        for name, spec in SPECS.items():
            told = [self.held(name, asked) for asked in self.asked]
            kinds[name] = [kind for kind, _ in told]
            seen = [self._step(name, asked) for asked in self.asked]
            steps[name] = [None if s is None else microseconds(at(s.at)) for s in seen]
            values.append(features(spec, [step for _, step in told], name))
        columns = {"customer_id": 0, "terminal_id": 0}
        entities = {column: [a.key for a in self.asked] for column in columns}
        return ServedRows(
            "fraud_v1",
            pl.Series([str(n) for n in range(len(self.asked))]),
            pl.Series([a.answered for a in self.asked], dtype=TIME),
            pl.DataFrame(entities | {"event_timestamp": [a.t for a in self.asked]}).cast(
                {"event_timestamp": TIME}
            ),
            pl.concat(values, how="horizontal"),
            pl.DataFrame(kinds, dict.fromkeys(kinds, KIND_TYPE)),
            pl.DataFrame(steps, dict.fromkeys(steps, pl.Int64)),
        )

    def _step(self, name: str, asked: Asked) -> Step | None:
        cut = max(run.cut for run in self.runs if run.finished <= asked.answered)
        return newest(self.steps[name], asked.key, cut)

    def causes(self, rows: ServedRows) -> dict[str, list[Cause]]:
        """What the audit says of each row and view."""
        exact: Joined = join_exact(self.store, self.audit.views, rows)
        states = StoreStates(self.store, self.audit.views, rows, self.audit.ledgers)
        why = WhyStored(rows, exact, states, self.audit.facts, self.audit.erased)
        return {
            view.name: [Cause(c) for c in why.causes_of(view)] for view in self.audit.views.listed
        }


def features(spec: WindowSpec, steps: list[Step | None], name: str) -> pl.DataFrame:
    """The features of each step under their full names; nulls where there is none."""
    made = step_rows(spec, [step or Step(0, 0, None) for step in steps])
    return made.select(pl.col(f).alias(f"{name}__{f}") for f in spec.features())


def seen(told: tuple[str, Step | None]) -> tuple[str, int | None]:
    """What can be told apart of an answer: kind and value, not which step it was."""
    kind, step = told
    return kind, None if step is None else step.value


@pytest.mark.parametrize("seed", range(6))
def test_an_unaltered_store_is_never_unexplained(handwritten: Settings, seed: int) -> None:
    world = World(handwritten, seed)
    found = world.causes(world.served())
    counts = 0
    for name in SPECS:
        for asked, cause in zip(world.asked, found[name], strict=True):
            same = seen(world.held(name, asked)) == seen(world.exact(name, asked))
            assert (cause is Cause.MATCH) == same, (name, asked, cause)
            assert same or cause.is_stale, (name, asked, cause)
            counts += not same
    assert counts > 20


@pytest.mark.parametrize("seed", range(6))
def test_one_altered_value_is_one_unexplained(handwritten: Settings, seed: int) -> None:
    world = World(handwritten, seed)
    rows = world.served()
    column = "customer_windows__customer_tx_count_7d"
    place = (rows.kinds["customer_windows"] == FOUND).arg_true()[0]
    altered = rows.values.with_columns(
        pl.when(pl.int_range(pl.len()) == place).then(10**6).otherwise(column).alias(column)
    )
    found = world.causes(replace(rows, values=altered))
    assert [n for n, c in enumerate(found["customer_windows"]) if c is Cause.UNEXPLAINED] == [place]
    assert Cause.UNEXPLAINED not in found["terminal_windows"]
