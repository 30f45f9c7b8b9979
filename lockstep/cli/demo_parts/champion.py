"""Whether training left a model that may serve."""

from __future__ import annotations

from lockstep.settings import Settings


def has_champion(settings: Settings, use_case: str) -> bool:
    """Whether the registry has a champion of the use case.

    Raises:
        RegistryError: MLflow does not answer.
    """
    from lockstep.contract.registered_model import NoModelError, found_version

    try:
        with found_version(settings.tracking_uri, use_case):
            return True
    except NoModelError:
        return False
