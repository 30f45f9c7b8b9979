"""Finds what the modules of definitions/ define: a use case that adds a module is in."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import TypeAlias

from feast import Entity, FeatureService, FeatureView, OnDemandFeatureView

from feature_repo import definitions
from lockstep.errors import LockstepError
from lockstep.use_cases import load_use_case

FeastObject: TypeAlias = Entity | FeatureView | OnDemandFeatureView | FeatureService


class DiscoveryError(LockstepError):
    """Two modules of definitions that cannot be applied together."""

    @classmethod
    def same_name(cls, name: str, modules: tuple[str, str]) -> DiscoveryError:
        return cls(f"{' and '.join(modules)} each define {name!r}", next_step="rename one of them")


def feast_objects(use_case: str | None = None) -> dict[str, FeastObject]:
    """Entities, views and services by variable name; of one use case or of all.

    To use case `fraud` belong `definitions/fraud.py` and all `definitions/fraud_*.py`.

    Raises:
        DiscoveryError: modules give different objects the same variable's or Feast's name.
    """
    found: dict[str, FeastObject] = {}
    homes: dict[object, tuple[FeastObject, str]] = {}
    for module in _modules(use_case):
        for name, value in vars(module).items():
            if not isinstance(value, FeastObject):
                continue
            # One module may use what another defines: then it is the same object.
            for taken in (name, (type(value), value.name)):
                first, home = homes.setdefault(taken, (value, module.__name__))
                if first is not value:
                    raise DiscoveryError.same_name(value.name, (home, module.__name__))
            found[name] = value
    return dict(sorted(found.items()))


def feature_views(use_case: str) -> list[FeatureView]:
    """The views of a use case that are materialised, by name; its profiles' too.

    Raises:
        UseCaseError: there is no such use case.
    """
    load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS")
    found = feast_objects(use_case).values()
    # An on-demand view is none of Feast's FeatureView.
    return sorted((v for v in found if isinstance(v, FeatureView)), key=lambda view: view.name)


def feature_services(use_case: str) -> list[FeatureService]:
    """The feature services of a use case, by name; its profiles' too.

    Raises:
        UseCaseError: there is no such use case.
    """
    load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS")
    found = feast_objects(use_case).values()
    return sorted((s for s in found if isinstance(s, FeatureService)), key=lambda one: one.name)


def _modules(use_case: str | None) -> Iterator[ModuleType]:
    for module in sorted(pkgutil.iter_modules(definitions.__path__), key=lambda m: m.name):
        if use_case in (None, module.name) or module.name.startswith(f"{use_case}_"):
            yield import_module(f"{definitions.__name__}.{module.name}")
