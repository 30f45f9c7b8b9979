"""A row that a request brings of what windows are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FreshRow:
    """One row of the windows' source, known from `event_us` on; values in the stored units."""

    event_us: int
    values: Mapping[str, int]
