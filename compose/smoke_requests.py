"""What `compose/smoke` asks of the platform: a fresh lake, an interval, and proven predictions."""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from lockstep.cli.demo_parts.proof import prove
from lockstep.cli.demo_parts.requests import bodies, cuts_at_the_end, events_after
from lockstep.contract.scored_events import ScoredEvents
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.use_cases import load_use_case

USE_CASE = "fraud"
MARK = "made-by-the-smoke-run"
ROWS = 200


def fresh() -> str:
    """Marks the lake as the smoke run's; refuses one that holds somebody's data."""
    lake = Lake.at(Settings().lake)
    if lake.list("") and MARK not in lake.list(""):
        raise SystemExit(
            f"smoke: {lake.uri} holds data that the smoke run did not make; use a new one"
        )
    lake.write_bytes(MARK, b"")
    return f"{lake.uri} is the smoke run's"


def interval() -> str:
    """The first event's midnight and the instant to materialise up to."""
    first, (cut,) = cuts_at_the_end(Lake.at(Settings().lake), _events(), 1)
    return f"{first.isoformat()} {cut.isoformat()}"


def predict(api: str) -> str:
    """Asks for the events after the cut, over HTTP, and recomputes every feature from the lake."""
    settings = Settings()
    lake = Lake.at(settings.lake)
    _, (cut,) = cuts_at_the_end(lake, _events(), 1)
    rows = events_after(lake, _events(), cut, ROWS)
    answers = [_asked(api, body) for body in bodies(_events(), rows)]
    proof = prove(settings, USE_CASE, rows, answers)
    if proof.comparison.mismatches or not proof.rows:
        raise SystemExit(f"smoke: {proof.comparison}; {proof.comparison.mismatches[:1]}")
    return f"{proof.rows} predictions, {proof.comparison}"


def _events() -> ScoredEvents:
    events = load_use_case("lockstep.contract", USE_CASE, entry="SCORED_EVENTS").SCORED_EVENTS
    assert isinstance(events, ScoredEvents)
    return events


def _asked(api: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "X-API-Key": os.environ["SMOKE_API_KEY"]}
    request = Request(f"{api}/v1/{USE_CASE}/predict", json.dumps(body).encode(), headers)
    try:
        with urlopen(request, timeout=30) as response:
            return dict(json.load(response))
    except HTTPError as error:
        raise SystemExit(
            f"smoke: predict answered {error.code}: {error.read().decode()}"
        ) from error


if __name__ == "__main__":
    steps = {"fresh": fresh, "interval": interval, "predict": predict}
    print(steps[sys.argv[1]](*sys.argv[2:]))  # noqa: T201  for the script that started this one
