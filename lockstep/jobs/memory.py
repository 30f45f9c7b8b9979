"""How much memory this process has taken."""

from __future__ import annotations

import resource


def peak_mb() -> int:
    """The highest resident memory so far, in units of 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6
