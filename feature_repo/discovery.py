"""Finds what the modules of definitions/ define: a use case that adds a module is in."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import TypeAlias

from feast import Entity, FeatureService, FeatureView, OnDemandFeatureView

from feature_repo import definitions

FeastObject: TypeAlias = Entity | FeatureView | OnDemandFeatureView | FeatureService


class DefinitionsError(Exception):
    """Two modules of definitions that cannot be applied together."""

    @classmethod
    def same_name(cls, name: str, modules: tuple[str, str]) -> DefinitionsError:
        return cls(f"{' and '.join(modules)} each define {name!r}: rename one of them")


def feast_objects(use_case: str | None = None) -> dict[str, FeastObject]:
    """Entities, views and services by variable name; of one use case or of all.

    To use case `fraud` belong `definitions/fraud.py` and all `definitions/fraud_*.py`.

    Raises:
        DefinitionsError: modules give different objects the same variable name.
    """
    found: dict[str, FeastObject] = {}
    homes: dict[str, str] = {}
    for module in _modules(use_case):
        for name, value in vars(module).items():
            if not isinstance(value, FeastObject):
                continue
            # One module may use what another defines: then it is the same object.
            if found.setdefault(name, value) is not value:
                raise DefinitionsError.same_name(name, (homes[name], module.__name__))
            homes.setdefault(name, module.__name__)
    return dict(sorted(found.items()))


def _modules(use_case: str | None) -> Iterator[ModuleType]:
    for module in sorted(pkgutil.iter_modules(definitions.__path__), key=lambda m: m.name):
        if use_case in (None, module.name) or module.name.startswith(f"{use_case}_"):
            yield import_module(f"{definitions.__name__}.{module.name}")
