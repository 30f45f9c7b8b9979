"""How much staleness a feature service allows: declared with it, as the tag `max_stale_share`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lockstep.errors import LockstepError

if TYPE_CHECKING:
    from feast import FeatureService

TAG = "max_stale_share"


class StaleBudgetError(LockstepError):
    """A tag that is no share."""

    @classmethod
    def wrong_value(cls, service: str, got: str) -> StaleBudgetError:
        return cls(
            f"the tag {TAG} of {service!r} is {got[:40]!r}, expected a number from 0 to 1",
            next_step="mend the service's tags",
        )


def max_stale_share(services: Iterable[FeatureService]) -> float | None:
    """The least share of stale vectors that the services declare; None where none does.

    Raises:
        StaleBudgetError: one declares something else.
    """
    told = [
        _share(service.name, str(service.tags[TAG]))
        for service in services
        if TAG in (service.tags or {})
    ]
    return min(told, default=None)


def _share(service: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        raise StaleBudgetError.wrong_value(service, text) from None
    if not 0 <= share <= 1:
        raise StaleBudgetError.wrong_value(service, text)
    return share
