"""A local lake that stops taking anything after so many writes, as when the power fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lockstep.lake.local_objects import LocalObjects


class PowerCutError(Exception):
    """Stands for the power cord."""


@contextmanager
def power_cut(after: int) -> Iterator[None]:
    """The first `after` writes and deletions succeed, the next one and all others fail."""
    left = after

    def failing(method: Callable[..., None]) -> Callable[..., None]:
        def called(*arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise PowerCutError
            method(*arguments)

        return called

    with pytest.MonkeyPatch.context() as patch:
        for name in ("write_bytes", "delete"):
            patch.setattr(LocalObjects, name, failing(getattr(LocalObjects, name)))
        yield
