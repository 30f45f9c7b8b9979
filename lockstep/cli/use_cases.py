"""Use cases by name: each is one module in each of a few packages."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

from lockstep.cli.errors import UsageError


def use_case_module(package: str, use_case: str) -> ModuleType:
    """The module of `use_case` in `package`.

    Raises:
        UsageError: there is none of that name.
    """
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    known = sorted(module.name for module in iter_modules(folders))
    if use_case not in known:
        raise UsageError.unknown_use_case(use_case, known)
    return import_module(f"{package}.{use_case}")


def definitions_of(use_case: str) -> ModuleType:
    """The feature definitions of `use_case`; a module of definitions has `WINDOW_SPECS`."""
    return use_case_module("feature_repo.definitions", use_case)
