"""What was read of an entity, and what each value is worth at T."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lockstep.contract.status import FeatureStatus, status_at
from lockstep.windows.microseconds import SECOND_US


@dataclass(frozen=True)
class ViewRead:
    """One view's row of one entity. `event_us` is None where nothing was ever written.

    `values` has None for a null; a feature that is not in it was never written, although
    the row was. `kept` is the cell with the rows that the step was made of, where it was
    asked for and is there. Times are microseconds UTC.
    """

    features: tuple[str, ...]
    event_us: int | None = None
    created_us: int | None = None
    valid_until_us: int | None = None
    horizon_us: int | None = None
    ttl_us: int | None = None
    max_age_us: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    kept: bytes | None = None

    @property
    def known_from_us(self) -> int | None:
        """The first T at which the row was known: its event and created time have come."""
        if self.event_us is None:
            return None
        return max(self.event_us, self.created_us or self.event_us)

    def age_seconds(self, t_us: int) -> float | None:
        """How far T is past what the store vouches for; None where it vouches for nothing."""
        if self.horizon_us is None:
            return None
        return max(0, t_us - self.horizon_us) / SECOND_US

    def status(self, feature: str, t_us: int) -> FeatureStatus:
        """The status of one feature at T."""
        if feature not in self.values:
            return FeatureStatus.NOT_FOUND
        row = self.row_status(t_us)
        is_null = row is FeatureStatus.PRESENT and self.values[feature] is None
        return FeatureStatus.NULL if is_null else row

    def row_status(self, t_us: int) -> FeatureStatus:
        """The status at T of every feature that was written and is not null."""
        return status_at(
            t_us,
            event_us=self.event_us,
            is_null=False,
            created_us=self.created_us,
            ttl_us=self.ttl_us,
            valid_until_us=self.valid_until_us,
            horizon_us=self.horizon_us,
            max_age_us=self.max_age_us,
        )


class FeatureValue(NamedTuple):
    """A feature as a model may see it at T: the value is None unless its status keeps it."""

    value: Any
    status: FeatureStatus
    age_seconds: float | None


def statuses(reads: Iterable[ViewRead], t_us: int) -> dict[str, FeatureValue]:
    """Every feature of `reads` (an entity's views) at T, in their order.

    >>> read = ViewRead(("n",), event_us=5, horizon_us=3_000_000, values={"n": 7})
    >>> statuses([read], 4_500_000)["n"]
    FeatureValue(value=7, status=<FeatureStatus.PRESENT: 'PRESENT'>, age_seconds=1.5)
    """
    known = {}
    for read in reads:
        age, values = read.age_seconds(t_us), read.values
        row = read.row_status(t_us)
        for feature in read.features:
            value = values.get(feature)
            if value is None:
                known[feature] = FeatureValue(None, read.status(feature, t_us), age)
            else:
                known[feature] = FeatureValue(value if row.keeps_value else None, row, age)
    return known
