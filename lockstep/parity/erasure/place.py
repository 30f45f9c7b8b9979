"""A place where something of an entity may stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Found:
    """What was read in a place: rows of the entity, in so many objects.

    `remains` says in words what cannot be erased there, and why.
    """

    rows: int = 0
    objects: int = 0
    remains: tuple[str, ...] = ()

    def __add__(self, other: Found) -> Found:
        remains = dict.fromkeys((*self.remains, *other.remains))
        return Found(self.rows + other.rows, self.objects + other.objects, tuple(remains))


class Place(Protocol):
    """One kind of place.

    `erase` may break off anywhere, and is then called again.
    """

    @property
    def name(self) -> str:
        """What the receipt calls it."""
        ...

    def find(self) -> Found:
        """What is there of the entity now.

        Raises:
            LockstepError: the place cannot be read.
        """
        ...

    def erase(self) -> None:
        """Erases it: each object that has something of it is replaced or removed.

        Raises:
            LockstepError: the place cannot be read or written.
        """
        ...
