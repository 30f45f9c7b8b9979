"""Versions that were refused, and when each is worth another try."""

from __future__ import annotations

from dataclasses import dataclass

from serving.model_cache import Cached

_MOST_LOOKS = 64


@dataclass
class _Refused:
    why: str
    wait: int
    due: int


class RefusedVersions:
    """Those of one use case; the registry is looked at again and again.

    A version may be refused for what passes: a download that ended early, a file that somebody
    mends. So it is tried at the next look, and then after 2, 4, 8 and at last every 64 looks.

    >>> refused = RefusedVersions()
    >>> torn, tried = Cached(2, "2-run"), []
    >>> for look in range(20):
    ...     refused.look()
    ...     if refused.why_still(torn) is None:
    ...         refused.note(torn, "torn")
    ...         tried.append(look)
    >>> tried
    [0, 1, 3, 7, 15]
    """

    def __init__(self) -> None:
        self._looks = 0
        self._refused: dict[Cached, _Refused] = {}

    def look(self) -> None:
        """Counts a look at the registry."""
        self._looks += 1

    def forget(self) -> None:
        """Every version is tried at once, as if it were new."""
        self._refused.clear()

    def why_still(self, version: Cached) -> str | None:
        """Why it was refused the last time; None where it is to be tried."""
        known = self._refused.get(version)
        return known.why if known and self._looks < known.due else None

    def note(self, version: Cached, why: str | None) -> None:
        """What came of a try: why it was refused, or None."""
        known = self._refused.pop(version, None)
        if why is not None:
            wait = min(2 * known.wait, _MOST_LOOKS) if known else 1
            self._refused[version] = _Refused(why, wait, self._looks + wait)
