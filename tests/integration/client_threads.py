"""Clients of a server, each in a thread, for as long as a block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def client_threads(asks: Sequence[Callable[[], None]], ended: threading.Event) -> Iterator[None]:
    """Runs all of `asks`, which return once `ended` is set: that is done after the block."""
    threads = [threading.Thread(target=ask) for ask in asks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
