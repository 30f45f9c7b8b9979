"""One status algebra for training frames, logs and responses."""

from __future__ import annotations

from enum import StrEnum


class FeatureStatus(StrEnum):
    """What is known of one feature value at T, in order of precedence."""

    NOT_FOUND = "NOT_FOUND"
    FUTURE = "FUTURE"
    EXPIRED = "EXPIRED"
    STALE = "STALE"
    NULL = "NULL"
    PRESENT = "PRESENT"

    @property
    def keeps_value(self) -> bool:
        """Whether the stored value may be used; otherwise it reads as null."""
        return self in (FeatureStatus.STALE, FeatureStatus.PRESENT)


def status_at(
    t_us: int,
    *,
    event_us: int | None,
    is_null: bool,
    created_us: int | None = None,
    ttl_us: int | None = None,
    valid_until_us: int | None = None,
    horizon_us: int | None = None,
    max_age_us: int | None = None,
) -> FeatureStatus:
    """The status at T of a value whose step is stamped `event_us`; all microseconds UTC.

    `event_us` is None when nothing was ever known. A step that begins after T, or was created
    after it, was not known at T. A time to live of None or 0 never
    expires; an age equal to it is still valid. The value is stale from `valid_until_us`
    on, unless the view is exact beyond T (T < `horizon_us`); and when T is more than
    `max_age_us` past the horizon.

    >>> status_at(10, event_us=4, is_null=False, ttl_us=6)
    <FeatureStatus.PRESENT: 'PRESENT'>
    >>> status_at(11, event_us=4, is_null=False, ttl_us=6)
    <FeatureStatus.EXPIRED: 'EXPIRED'>
    """
    if event_us is None:
        return FeatureStatus.NOT_FOUND
    if event_us > t_us or (created_us is not None and created_us > t_us):
        return FeatureStatus.FUTURE
    if ttl_us and t_us - event_us > ttl_us:
        return FeatureStatus.EXPIRED
    if _is_stale(t_us, valid_until_us, horizon_us, max_age_us):
        return FeatureStatus.STALE
    return FeatureStatus.NULL if is_null else FeatureStatus.PRESENT


def computed_status(*, is_null: bool) -> FeatureStatus:
    """The status of a value that an on-demand function computed for T itself.

    It is as good as it gets, whatever the status of what it was computed from: that
    stands beside it.

    >>> computed_status(is_null=True)
    <FeatureStatus.NULL: 'NULL'>
    """
    return FeatureStatus.NULL if is_null else FeatureStatus.PRESENT


def _is_stale(
    t_us: int, valid_until_us: int | None, horizon_us: int | None, max_age_us: int | None
) -> bool:
    if horizon_us is not None and t_us < horizon_us:
        return False
    if valid_until_us is not None and t_us >= valid_until_us:
        return True
    return horizon_us is not None and max_age_us is not None and t_us - horizon_us > max_age_us
