"""How a use case is found: a module of that name in a package, nothing to register."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from lockstep.errors import LockstepError


class UseCaseError(LockstepError):
    """A use case that is not there."""

    @classmethod
    def unknown(cls, name: str, known: Iterable[str]) -> UseCaseError:
        return cls(
            f"there is no use case {name!r}; known are {sorted(known)}",
            next_step="name one of them first, and its options after it"
            if name.startswith("-")
            else "choose one of them",
        )


def load_use_case(package: str, name: str, *, entry: str) -> ModuleType:
    """The module `name` of `package`, which defines `entry`.

    Raises:
        UseCaseError: no module of that name defines `entry`.

    >>> load_use_case("lockstep.jobs.ingest", "fraud", entry="ingest_spec").__name__
    'lockstep.jobs.ingest.fraud'
    """
    names = use_case_names(package)
    if name in names:
        module = importlib.import_module(f"{package}.{name}")
        if hasattr(module, entry):
            return module
    raise UseCaseError.unknown(name, use_cases(package, entry=entry))


def use_case_names(package: str) -> list[str]:
    """The modules of a package, none of which is imported for it."""
    paths = importlib.import_module(package).__path__
    return [module.name for module in pkgutil.iter_modules(paths)]


def use_cases(package: str, *, entry: str) -> list[str]:
    """The modules of a package that define `entry`; imports them all."""
    names = use_case_names(package)
    return [n for n in names if hasattr(importlib.import_module(f"{package}.{n}"), entry)]
