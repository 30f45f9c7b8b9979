"""What is wrong with what the platform says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lockstep.errors import LockstepError

_SHOWN = 5


class FreshnessError(LockstepError):
    """An online store that is further behind than its views declare, or that cannot tell."""

    @classmethod
    def other_store(cls, kind: str) -> FreshnessError:
        return cls(
            f"{kind} says nothing of horizons",
            next_step="use lockstep.stores.online.LockstepOnlineStore in feature_store.yaml",
        )

    @classmethod
    def nothing_built(cls) -> FreshnessError:
        return cls("no view's table was ever built", next_step="run `lockstep build`")

    @classmethod
    def behind(
        cls, views: Sequence[tuple[str, timedelta | None, timedelta | None]], at: datetime
    ) -> FreshnessError:
        told = [
            f"{name} was never materialised"
            if behind is None
            else f"{name} is {behind} behind where {allowed} are allowed"
            for name, behind, allowed in views[:_SHOWN]
        ]
        more = f", and {len(views) - _SHOWN} more" if len(views) > _SHOWN else ""
        return cls(
            f"the online store is stale at {at:%Y-%m-%d %H:%M:%S}: {'; '.join(told)}{more}",
            next_step="build up to then and run `lockstep materialize`",
        )
