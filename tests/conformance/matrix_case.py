"""One sentence that every store should keep, and how it is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matrix_repository import Repository

PASS = "pass"
REFUSED = "an error"
ZONES = ("UTC", "Europe/Moscow", "America/New_York")

Run = Callable[["Repository"], object]


@dataclass(frozen=True)
class Case:
    """`run` says what a repository answers, `right` what it should answer.

    It is run once for each of `zones`, the time zones of the process.
    """

    name: str
    checks: str
    run: Run
    right: object
    zones: Sequence[str]

    def outcome(self, repository: Repository) -> str:
        """`pass`, or what was wrong in a few words."""
        try:
            got = self.run(repository)
        except Exception as error:  # noqa: BLE001  # whatever a store raises is what it does
            return f"raises {type(error).__name__}"
        return PASS if got == self.right else difference(got, self.right)


def case(*, right: object, zones: Sequence[str] = ZONES[:1]) -> Callable[[Run], Case]:
    """Makes a case of a function: its name and its docstring are the case's."""

    def made(run: Run) -> Case:
        assert run.__doc__, "a case says what it checks"
        return Case(run.__name__.replace("_", " "), run.__doc__, run, right, zones)

    return made


def cases_of(*modules: Mapping[str, object]) -> list[Case]:
    """The cases in the modules' globals, in their order."""
    return [value for module in modules for value in module.values() if isinstance(value, Case)]


def refused(action: Callable[[], object]) -> object:
    """That there was an error, of whatever kind; else what `action` returned."""
    try:
        return action() or "no error"
    except Exception:  # noqa: BLE001  # each store has errors of its own
        return REFUSED


def difference(got: object, right: object) -> str:
    """What came instead of what; words that a case found itself stay as they are.

    >>> difference([7, None], [70, None])
    '7, null for 70, null'
    >>> difference("2 rows for 3", [7, None, 8])
    '2 rows for 3'
    """
    if isinstance(got, str):
        return got
    return f"{_short(got)} for {_short(right)}"


def _short(answer: object) -> str:
    if isinstance(answer, list):
        parts = (f"({_short(v)})" if isinstance(v, list) else _short(v) for v in answer)
        return ", ".join(parts) or "nothing"
    return "null" if answer is None else str(answer)
