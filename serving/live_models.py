"""Which models that may be serving would be refused with the installed definitions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

from feast import FeatureService, FeatureStore, FeatureView, OnDemandFeatureView
from feast.errors import FeastObjectNotFoundException

from lockstep.contract.model_artefact import CHALLENGER, CHAMPION, ModelArtefact
from lockstep.contract.registered_model import NoModelError, found_version
from lockstep.errors import LockstepError
from lockstep.settings import Settings
from lockstep.stores.fingerprint import service_fingerprint, view_meanings
from serving.plan_compiler import DEFINITIONS, defined
from serving.use_cases import USE_CASES


@dataclass(frozen=True)
class BrokenModel:
    """A live version whose feature service means something else now; `views` are what changed."""

    name: str
    version: int
    aliases: tuple[str, ...]
    feature_service: str
    views: tuple[str, ...]


class LiveModelError(LockstepError):
    """Definitions that live models were not trained on."""

    @classmethod
    def edited(cls, broken: Sequence[BrokenModel]) -> LiveModelError:
        told = "; ".join(
            f"{' and '.join(model.aliases)} {model.name!r} version {model.version} reads "
            f"{model.feature_service!r}, where {_listed(model.views)} changed"
            for model in broken
        )
        views = sorted({view for model in broken for view in model.views}) or ["the_view"]
        return cls(
            f"live models would be refused: {told}",
            next_step=f"leave these as they are and define {views[0]}_v2 and a new feature "
            "service beside them; or use --force and train again",
        )


def broken_models(settings: Settings) -> list[BrokenModel]:
    """Champions and challengers that were trained on other definitions than are installed.

    Raises:
        RegistryError: MLflow cannot be asked.
    """
    broken = []
    for name in USE_CASES:
        definitions = import_module(f"{DEFINITIONS}.{name}")
        services = {service.name: service for service in defined(definitions, FeatureService)}
        kinds = (FeatureView, OnDemandFeatureView)
        views = {view.name: view for kind in kinds for view in defined(definitions, kind)}
        for version, (artefact, aliases) in _live(settings, name).items():
            service = services.get(artefact.feature_service)
            here = service and service_fingerprint(service, views.__getitem__)
            if here != artefact.fingerprint:
                wanted = artefact.feature_service
                changed = _changed(settings, wanted, service, views)
                broken.append(BrokenModel(name, version, tuple(aliases), wanted, changed))
    return broken


def _live(settings: Settings, name: str) -> dict[int, tuple[ModelArtefact, list[str]]]:
    """The versions of a model that may be serving, each with its aliases."""
    live: dict[int, tuple[ModelArtefact, list[str]]] = {}
    for alias in (CHAMPION, CHALLENGER):
        with (
            suppress(NoModelError),
            found_version(settings.tracking_uri, name, alias=alias) as found,
        ):
            if found.version not in live:
                live[found.version] = ModelArtefact.from_metadata(found.download().metadata), []
            live[found.version][1].append(alias)
    return live


def _changed(
    settings: Settings,
    name: str,
    service: FeatureService | None,
    views: dict[str, FeatureView | OnDemandFeatureView],
) -> tuple[str, ...]:
    """The views that differ from what is applied; none where only the service does."""
    store = FeatureStore(repo_path=str(settings.feature_repo_dir))

    def applied(view: str) -> FeatureView | OnDemandFeatureView:
        return store.registry.get_any_feature_view(view, store.project)

    try:
        before = view_meanings(store.get_feature_service(name), applied)
    except FeastObjectNotFoundException:
        return ()
    after = view_meanings(service, views.__getitem__) if service else {}
    return tuple(view for view, meaning in before.items() if after.get(view) != meaning)


def _listed(views: Sequence[str]) -> str:
    return ", ".join(views) if views else "the service itself"
