"""The log of served features: a bounded queue, and a thread that writes it into the lake."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

import structlog

from lockstep.lake.lake import Lake
from serving.log_writer import LogWriter
from serving.served_rows import ServedRows, is_sampled

# Rows are converted as they come: all at once, before a write, they took the loop's core from it,
# and the slowest of a hundred requests waited twice as long.
_TURN_SECONDS = 0.2

_log = structlog.get_logger(__name__)


class FeatureLog:
    """Takes served rows without waiting, and writes them every `flush_seconds`.

    Or as soon as there are `flush_rows`, which is also about as many as one object holds: a
    crash loses what was put in the last `flush_seconds`, and while a write took. Of all
    requests the `share` in [0, 1] is logged. At most `max_rows` wait, some 3 KB each where
    they come one by one: what does not fit is dropped.

    A row is that of one model; each that was put is `skipped` by sampling, `dropped`, `queued`
    or `written`. With 25 features a row that comes alone costs 1 us of CPU in `put` and 16 to
    24 in the thread, compression included; in batches of 50 it costs 9 us in all (20,000 rows,
    flushes of 5,000, a local disk, two busy cores). A flush costs some 9 ms whatever it holds.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        share: float = 1.0,
        max_rows: int = 50_000,
        flush_rows: int = 5_000,
        flush_seconds: float = 5.0,
    ) -> None:
        self._writer = LogWriter(lake)
        self._share, self._max_rows = share, max_rows
        self._flush_rows, self._flush_seconds = flush_rows, flush_seconds
        # Every counter has one writer, the caller of `put` or the thread: there is no lock.
        self.skipped, self.written = 0, 0
        self._accepted, self._refused, self._taken, self._lost = 0, 0, 0, 0
        self._waiting: deque[ServedRows] = deque()
        self._due, self._why_not = time.monotonic() + flush_seconds, ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feature-log", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Rows that are not in the lake yet."""
        return self._accepted - self.written - self._lost

    @property
    def dropped(self) -> int:
        """Rows that will never be in the lake: there was no room, or they could not be logged."""
        return self._refused + self._lost

    def put(self, rows: ServedRows) -> None:
        """Returns at once; for one thread, such as that of the event loop.

        The first rows of a batch are kept where there is no room for all.
        """
        chosen = range(len(rows)) if self._share >= 1 else self._sampled(rows)
        room = 0 if self._closing.is_set() else self._max_rows - self.queued
        kept = chosen[:room]
        self._refused += len(chosen) - len(kept)
        # A batch without rows would wait in the queue uncounted.
        if not kept:
            return
        if len(kept) < len(rows):
            rows = rows.take(kept)
        self._accepted += len(kept)
        self._waiting.append(rows)

    def close(self, timeout: float) -> None:
        """Writes what is left, for `timeout` seconds; then nothing is taken any more.

        It waits: call it outside the event loop.
        """
        self._closing.set()
        self._thread.join(timeout)
        if left := self.queued:
            _log.error("served features were not logged", rows=left, why=self._why_not)

    def _sampled(self, rows: ServedRows) -> Sequence[int]:
        """The positions of the rows that are logged; all of most batches of one, or none."""
        share = self._share
        chosen = [i for i, id in enumerate(rows.request_ids) if is_sampled(id, share)]
        self.skipped += len(rows) - len(chosen)
        return chosen

    def _run(self) -> None:
        turn = min(_TURN_SECONDS, self._flush_seconds)
        # A failed write is tried again after `flush_seconds`, however many rows wait.
        while not self._closing.wait(self._flush_seconds if self._why_not else turn):
            self._take_turn(is_due=time.monotonic() >= self._due)
        self._take_turn(is_due=True)

    def _take_turn(self, *, is_due: bool) -> None:
        try:
            self._log_what_waits(is_due=is_due)
        except Exception as error:  # noqa: BLE001  whatever the lake does, the thread goes on
            self._note(error)
        else:
            if self._why_not:
                _log.info("served features are logged again", rows=self.written)
            self._why_not = ""

    def _log_what_waits(self, *, is_due: bool) -> None:
        """Converts everything that is in the queue now, and writes it where it is time or much.

        What comes meanwhile has its own turn: else a busy log writes object after object of
        some hundred rows, which was twice the CPU a row.
        """
        if self._why_not:
            self._write()
        waiting = len(self._waiting)
        while waiting:
            batches = self._next(waiting)
            waiting -= len(batches)
            self._lost += self._writer.add(batches)
            if self._taken - self._lost - self.written >= self._flush_rows:
                self._write()
        if is_due:
            self._write()

    def _write(self) -> None:
        self._writer.write()
        self.written = self._taken - self._lost
        self._due = time.monotonic() + self._flush_seconds

    def _next(self, most: int) -> list[ServedRows]:
        """About as many rows as one object holds; at most so many batches."""
        batches: list[ServedRows] = []
        count = 0
        while len(batches) < most and count < self._flush_rows:
            batches.append(self._waiting.popleft())
            count += len(batches[-1])
        self._taken += count
        return batches

    def _note(self, error: Exception) -> None:
        """Logs each new reason once; an OSError's message has the name of a file, ever new."""
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        if why != self._why_not:
            _log.warning("served features cannot be logged", why=why, exc_info=error)
        self._why_not = why
