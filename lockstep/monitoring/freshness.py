"""How far each view's values in the online store are behind an instant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lockstep.lake.lake import Lake
from lockstep.monitoring.errors import FreshnessError
from lockstep.stores.online import LockstepOnlineStore, LockstepOnlineStoreConfig
from lockstep.stores.view_tags import max_age_us

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig

_ZERO = timedelta(0)


@dataclass(frozen=True)
class ViewFreshness:
    """Up to when a view is exact in the online store; `horizon` is None where it never was.

    `max_age` is how far behind it may be, as the view declares; None for any distance.
    """

    name: str
    horizon: datetime | None
    max_age: timedelta | None

    def behind(self, at: datetime) -> timedelta | None:
        """How long before `at` the view was last exact, zero at least; None where it never was."""
        return None if self.horizon is None else max(at - self.horizon, _ZERO)

    def is_stale(self, at: datetime) -> bool:
        """Whether it is further behind than it declares, or not there at all."""
        behind = self.behind(at)
        return behind is None or (self.max_age is not None and behind > self.max_age)


def view_freshness(
    config: RepoConfig, lake: Lake, views: Iterable[FeatureView]
) -> list[ViewFreshness]:
    """The freshness of the views whose tables were built, in order; others are in nobody's use.

    Raises:
        FreshnessError: the online store is not ours, and says nothing of horizons.
        StoreUnavailableError: it does not answer.
        LakeError: the lake cannot be reached.
    """
    if not isinstance(config.online_store, LockstepOnlineStoreConfig):
        raise FreshnessError.other_store(str(config.online_store.type))
    online = LockstepOnlineStore()
    return [
        ViewFreshness(view.name, online.horizon(config, view), max_age(view))
        for view in views
        if lake.table(view.batch_source.path).horizon() is not None
    ]


def assert_fresh(views: Sequence[ViewFreshness], at: datetime) -> None:
    """Returns where every view is as fresh at that instant as it declares.

    Raises:
        FreshnessError: names those that are not; or no view was built at all.
    """
    if not views:
        raise FreshnessError.nothing_built()
    if stale := [view for view in views if view.is_stale(at)]:
        told = [(view.name, view.behind(at), view.max_age) for view in stale]
        raise FreshnessError.behind(told, at)


def max_age(view: FeatureView) -> timedelta | None:
    """How far behind the view may be, as it declares; None for any distance."""
    declared = max_age_us(view)
    return None if declared is None else timedelta(microseconds=declared)
