"""The lake's errors as those of a plug-in, which the `feast` command shows in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lockstep.lake.errors import LakeError
from lockstep.stores.errors import SourceError


@contextmanager
def lake_errors() -> Iterator[None]:
    """Turns what the lake raises into what Feast's command line understands.

    Raises:
        SourceError: the lake cannot be reached, or an object cannot be read or written.
    """
    try:
        yield
    except LakeError as error:
        raise SourceError(error.problem, next_step=error.next_step) from error
