"""When each row arrives in its entity's windows, and when it leaves each of them."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.windows.events import Events, Ints
from lockstep.windows.spec import WindowSpec


@dataclass(frozen=True)
class Edges:
    """Arrivals and expiries of the rows, each sorted on the common axis.

    A row with event time t arrives at t + 1 microsecond and leaves the window w at t + w, a
    bar a microsecond later; both moved up to the grid of the specification.
    """

    arrival: Ints
    expiry: tuple[Ints, ...]

    @classmethod
    def of(cls, events: Events, spec: WindowSpec) -> Edges:
        """The edges of all rows."""
        grid, offset = spec.grid_us, events.offset
        return cls(
            arrival=_up(events.event + 1, grid) + offset,
            expiry=tuple(_up(events.event + w, grid) + offset for w in spec.expiries_us),
        )

    @property
    def all(self) -> tuple[Ints, ...]:
        """The arrivals, then the expiries of each window."""
        return (self.arrival, *self.expiry)


def _up(time: Ints, grid: int) -> Ints:
    return time if grid == 1 else -(-time // grid) * grid
