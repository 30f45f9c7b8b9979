"""What an audit found: counts that add up, examples, and what could not be checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from lockstep.lake.lake import Lake
from lockstep.parity.causes import Cause
from lockstep.parity.errors import AuditError
from lockstep.parity.sql.result import SqlCheck, SqlExample

Counts = Mapping[str, int]
_INSTANTS = ("at", "first_t", "last_t")
# As many are kept of each cause.
EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """One value that differs; None for null. `held` is what the store must have had."""

    request_id: str
    t: str
    view: str
    feature: str
    cause: str
    served: Any
    exact: Any
    held: Any


@dataclass(frozen=True)
class AuditedService:
    """The vectors of one service that were looked at, one for each request.

    `causes` counts them by the worst cause among their views, `views` by the cause of each view;
    `features` counts the values that differ, by their view's cause. `ages` counts, by how long
    before T the last materialisation reached, the views of vectors that were compared and
    those that differed. `hints` say what unexplained answers look like (see `Hint`), of the
    first ones of each view.
    """

    service: str
    vectors: int
    causes: Counts
    views: Mapping[str, Counts]
    features: Mapping[str, Counts]
    ages: Mapping[str, tuple[int, int]]
    examples: tuple[Example, ...]
    hints: Counts = field(default_factory=dict)

    @classmethod
    def nothing(cls, service: str) -> AuditedService:
        """No vector was compared."""
        return cls(service, 0, {}, {}, {}, {}, ())

    def __add__(self, other: AuditedService) -> AuditedService:
        return AuditedService(
            self.service,
            self.vectors + other.vectors,
            _added(self.causes, other.causes),
            _added_by_name(self.views, other.views),
            _added_by_name(self.features, other.features),
            {
                age: (
                    self.ages.get(age, (0, 0))[0] + other.ages.get(age, (0, 0))[0],
                    self.ages.get(age, (0, 0))[1] + other.ages.get(age, (0, 0))[1],
                )
                for age in {**self.ages, **other.ages}
            },
            few(self.examples + other.examples),
            _added(self.hints, other.hints),
        )


@dataclass(frozen=True)
class AuditResult:
    """One audit of a use case, made at `at`; T of the compared vectors from first to last.

    `unchecked` counts the vectors that were not compared, by why; `problems` says what else
    was missing, such as days of the log. `source` is where the served values are from. `sql` is
    of a sample of them.
    """

    use_case: str
    source: str
    at: datetime
    first_t: datetime | None
    last_t: datetime | None
    services: tuple[AuditedService, ...]
    unchecked: Counts
    problems: tuple[str, ...]
    seconds: float
    sql: SqlCheck = field(default_factory=SqlCheck)

    @property
    def vectors(self) -> int:
        """How many were looked at."""
        return sum(service.vectors for service in self.services)

    @property
    def causes(self) -> Counter[Cause]:
        """How many of them have each cause, MATCH among them."""
        found = Counter[Cause]()
        for service in self.services:
            found.update({Cause(name): count for name, count in service.causes.items()})
        return found

    @property
    def compared(self) -> int:
        """The vectors that could be laid beside today's definitions."""
        return self.vectors - self.causes[Cause.DEFINITION_VERSION]

    @property
    def is_whole(self) -> bool:
        """Whether all that was asked for could be checked."""
        return not self.unchecked and not self.problems and self.compared == self.vectors

    @property
    def unexplained(self) -> int:
        """The vectors that differ, and nothing says why."""
        return self.causes[Cause.UNEXPLAINED]

    @property
    def faults(self) -> int:
        """The vectors that differ though the store should have had the step that it was told."""
        return sum(count for cause, count in self.causes.items() if cause.is_fault)

    @property
    def stale_share(self) -> float:
        """The share of the compared vectors that were right by the ledger, and behind the lake."""
        stale = sum(count for cause, count in self.causes.items() if cause.is_stale)
        return stale / self.compared if self.compared else 0.0

    def refusal(self, max_stale_share: float | None = None) -> str:
        """Why nothing may be released on this, "" where it may.

        >>> AuditResult("fraud", "log", datetime(2018, 1, 1), None, None, (), {}, (), 0).refusal()
        'nothing was compared'
        """
        told = []
        if not self.compared:
            return "nothing was compared"
        if self.unexplained:
            told.append(f"{self.unexplained:,} vectors differ without a cause")
        if self.faults:
            told.append(f"{self.faults:,} vectors have a fault")
        if wrong := self.sql.mismatches:
            told.append(f"{wrong:,} values are not what SQL says of the raw events")
        if max_stale_share is not None and self.stale_share > max_stale_share:
            told.append(
                f"{self.stale_share:.2%} of the vectors are stale, and {max_stale_share:.2%} may be"
            )
        return "; ".join(told)

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain values."""
        told = asdict(self)
        return told | {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in ((name, getattr(self, name)) for name in _INSTANTS)
        }

    def as_bytes(self) -> bytes:
        """All of it, as it is kept."""
        return (json.dumps(self.as_json(), indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> AuditResult:
        """What `as_json` told.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        services = tuple(
            AuditedService(
                **service
                | {
                    "examples": tuple(Example(**one) for one in service["examples"]),
                    "ages": {age: tuple(counts) for age, counts in service["ages"].items()},
                }
            )
            for service in told["services"]
        )
        instants = {
            name: datetime.fromisoformat(told[name]) if told[name] else None for name in _INSTANTS
        }
        examples = tuple(SqlExample(**one) for one in told["sql"]["examples"])
        own = {
            "services": services,
            "problems": tuple(told["problems"]),
            "sql": SqlCheck(**told["sql"] | {"examples": examples}),
        }
        return cls(**{**told, **instants, **own})


def write_audit(lake: Lake, result: AuditResult) -> str:
    """Keeps the result in the lake and returns its key.

    Raises:
        LakeError: the lake refuses it.
    """
    key = f"{_folder(result.use_case)}{result.at:%Y%m%dT%H%M%S.%fZ}.json"
    lake.write_bytes(key, result.as_bytes())
    return key


def last_audit(lake: Lake, use_case: str) -> AuditResult | None:
    """The newest audit that is kept of a use case; None where there is none.

    Raises:
        AuditError: it is damaged.
        LakeError: the lake cannot be reached.
    """
    keys = [key for key in lake.list(_folder(use_case)) if key.endswith(".json")]
    return read_audit(lake, keys[-1]) if keys else None


def write_look(lake: Lake, account: AuditResult) -> None:
    """Keeps what a watch found, in place of what it found before.

    Raises:
        LakeError: the lake refuses it.
    """
    lake.write_bytes(_live(account.use_case), account.as_bytes())


def last_look(lake: Lake, use_case: str) -> AuditResult | None:
    """What a watch found last; None where none ever looked.

    Raises:
        AuditError: it is damaged.
        LakeError: the lake cannot be reached.
    """
    key = _live(use_case)
    return read_audit(lake, key) if lake.exists(key) else None


def read_audit(lake: Lake, key: str) -> AuditResult:
    """What `as_json` told, from the lake.

    Raises:
        AuditError: it is damaged.
        LakeError: the lake cannot be reached.
    """
    try:
        return AuditResult.from_json(json.loads(lake.read_bytes(key)))
    except (KeyError, TypeError, ValueError) as error:
        raise AuditError.damaged(lake.address(key), error) from error


def _folder(use_case: str) -> str:
    return f"_parity/audits/{use_case}/"


def _live(use_case: str) -> str:
    return f"_parity/live/{use_case}.json"


def _added(one: Counts, other: Counts) -> Counts:
    return dict(Counter(one) + Counter(other))


def _added_by_name(one: Mapping[str, Counts], other: Mapping[str, Counts]) -> dict[str, Counts]:
    return {name: _added(one.get(name, {}), other.get(name, {})) for name in {**one, **other}}


def few(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The first of each cause."""
    seen = Counter[str]()
    kept = []
    for example in examples:
        seen[example.cause] += 1
        if seen[example.cause] <= EXAMPLES:
            kept.append(example)
    return tuple(kept)
