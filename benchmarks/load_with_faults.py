"""A server under load while its Redis is slow, breaks off and falls silent, and comes back.

`python -m benchmarks.load_with_faults [--seconds 10] [--project FOLDER --at TIME]`. The faults
come from outside: a TCP proxy between the server and Redis. With `--project` it serves that
folder, which is trained and materialised up to TIME, from REDIS_URL; without, the benchmarks'
own. Prints a table of what was answered in each phase.

It ends with 1 if an answer was neither 200 nor 503 with Retry-After, if a score was not the one
that the healthy server gave for the same request, or if the server did not recover.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faulty_way import HEALTHY, Fault, Way, faulty_way
from benchmarks.serving_project import PREDICT, Project, T, ours, project, project_in

CLIENTS = 8
ROWS = 50
# Between two requests of one client: the load is steady, and not all that the server can do.
PAUSE_SECONDS = 0.01
PATIENCE_SECONDS = 20
SLOW_SECONDS = 0.05
# Of answers: those to some ten requests.
BREAKS_AFTER = 20_000
RECOVERING = "recovering"
# Answers with a score, after which a server has recovered.
ENOUGH_IN_A_ROW = 50
# The connections of the time before are there when all falls silent: late answers find them.
PHASES = (
    ("healthy", HEALTHY),
    ("slow", Fault(delay_seconds=SLOW_SECONDS)),
    ("silent", Fault(is_silent=True)),
    (RECOVERING, HEALTHY),
    ("breaking now and then", Fault(after=BREAKS_AFTER, answers=True, resets=True)),
    ("breaking every time", Fault(after=0, answers=True, resets=True)),
    (RECOVERING, HEALTHY),
    ("healthy again", HEALTHY),
)


@dataclass
class Phase:
    """What was answered while one fault was there."""

    name: str
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong_scores: int = 0
    odd: list[str] = field(default_factory=list)
    breaks: int = 0
    in_a_row: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: Answer, score: float) -> None:
        """Counts an answer; `score` is that of the healthy server. For many threads."""
        with self.counting:
            self.statuses[str(answer.status)] += 1
            self.seconds.append(answer.seconds)
            self.in_a_row = self.in_a_row + 1 if answer.status == 200 else 0
            if answer.status == 200:
                self.wrong_scores += answer.document["score"] != score
            elif answer.status != 503 or answer.retry_after is None:
                self.odd.append(f"{answer.status} {answer.document}")

    def percentile_ms(self, share: float) -> float:
        """The latency within which `share` of the answers came, in ms; NaN without answers."""
        if not self.seconds:
            return math.nan
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))] * 1000

    def line(self) -> str:
        """As one row of the table."""
        counts = " ".join(f"{n} x {status}" for status, n in sorted(self.statuses.items()))
        scores = f"{self.wrong_scores} wrong" if self.wrong_scores else "right"
        p50, p99 = self.percentile_ms(0.5), self.percentile_ms(0.99)
        return f"| {self.name} | {self.breaks} | {counts} | {p50:.1f} | {p99:.1f} | {scores} |"


@dataclass(frozen=True)
class Answer:
    """One answer; of status 0 where none came."""

    status: int
    retry_after: str | None
    document: Any
    seconds: float


class Client:
    """Asks on one connection, and on another one where that broke."""

    def __init__(self, port: int, key: str) -> None:
        self._headers = {"Content-Type": "application/json", "X-API-Key": key}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)

    def ask(self, body: dict[str, Any]) -> Answer:
        """The answer to one request."""
        started = time.perf_counter()
        try:
            self._connection.request("POST", PREDICT, json.dumps(body), self._headers)
            response = self._connection.getresponse()
            document = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            return Answer(0, None, repr(error), time.perf_counter() - started)
        seconds = time.perf_counter() - started
        return Answer(response.status, response.headers["Retry-After"], document, seconds)


class Load:
    """Clients that ask for the same rows again and again, whatever the fault is meanwhile."""

    def __init__(self, port: int, key: str, bodies: Sequence[dict[str, Any]]) -> None:
        self._clients = [Client(port, key) for _ in range(CLIENTS)]
        self._bodies = bodies
        first = [self._clients[0].ask(body) for body in bodies]
        if bad := [answer for answer in first if answer.status != 200]:
            raise SystemExit(f"the healthy server answered {bad[0]}")
        self._scores = [answer.document["score"] for answer in first]
        if len(set(self._scores)) < ROWS // 4:
            raise SystemExit("the scores hardly differ: a mix-up would not be seen")
        self._ended = threading.Event()
        # An answer counts in the phase in which it was asked for.
        self.phase = Phase("before")

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """The clients ask for as long as the block runs."""
        threads = [threading.Thread(target=self._ask, args=(c,)) for c in self._clients]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _ask(self, client: Client) -> None:
        number = self._clients.index(client)
        while not self._ended.wait(PAUSE_SECONDS):
            number, phase = (number + 1) % len(self._bodies), self.phase
            phase.note(client.ask(self._bodies[number]), self._scores[number])


def main(arguments: Sequence[str]) -> int:
    """Runs the phases, prints their table, and says whether all was well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase")
    parser.add_argument("--project", type=Path, help="a trained project; default: make one")
    parser.add_argument("--at", default=T, help="the time of the requests, T")
    chosen = parser.parse_args(arguments)
    made = project_in(chosen.project, os.environ["REDIS_URL"]) if chosen.project else project()
    bodies = [_body(number, chosen.at) for number in range(ROWS)]
    with faulty_way(made.env["REDIS_URL"]) as way:
        phases = _phases(made, way, bodies, chosen.seconds)
    sys.stdout.write(_table(phases) + "\n")
    odd = [text for phase in phases for text in phase.odd]
    if odd:
        sys.stderr.write(f"{len(odd)} answers were neither 200 nor 503, such as {odd[0]}\n")
    has_recovered = set(phases[-1].statuses) == {"200"}
    if not has_recovered:
        sys.stderr.write("the server has not recovered\n")
    wrong = sum(phase.wrong_scores for phase in phases)
    return 1 if odd or wrong or not has_recovered else 0


def _body(number: int, at: str) -> dict[str, Any]:
    """A request of entities that the smallest project has too."""
    ids = {"customer_id": number, "terminal_id": number * 7}
    return ids | {"amount_cents": 5_000, "event_timestamp": at}


def _phases(
    made: Project, way: Way, bodies: Sequence[dict[str, Any]], seconds: float
) -> list[Phase]:
    """What was answered under each fault; faults come and go while requests are in flight."""
    phases: list[Phase] = []
    with ours(made, REDIS_URL=way.url, SERVING_LOG_SHARE="0") as server:
        load = Load(server.port, made.key, bodies)
        with load.going_on():
            for name, fault in PHASES:
                before = way.breaks
                phases.append(Phase(name))
                way.fault, load.phase = fault, phases[-1]
                _wait(phases[-1], seconds)
                phases[-1].breaks = way.breaks - before
    return phases


def _wait(phase: Phase, seconds: float) -> None:
    """For so long; to recover only until nothing is refused any more."""
    until = time.monotonic() + (PATIENCE_SECONDS if phase.name == RECOVERING else seconds)
    while time.monotonic() < until:
        if phase.name == RECOVERING and phase.in_a_row >= ENOUGH_IN_A_ROW:
            return
        time.sleep(PAUSE_SECONDS)


def _table(phases: Sequence[Phase]) -> str:
    head = ["| phase | breaks | answers | p50 ms | p99 ms | scores |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(phase.line() for phase in phases)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
