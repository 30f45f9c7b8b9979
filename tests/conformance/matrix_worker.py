"""Runs the cases in a process of its own: a time zone is that of a whole process.

TZ=Europe/Moscow python matrix_worker.py outcomes.json
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import materialize_cases
import offline_cases
import offline_input_cases
import online_cases
from matrix_case import Case, cases_of
from matrix_peers import MATERIALIZE_PEERS, OFFLINE_PEERS, ONLINE_PEERS, Peer, Places
from matrix_repository import Repository
from redis import Redis

from lockstep.stores.embedded_redis import embedded_redis

Outcomes = dict[str, dict[str, dict[str, str]]]

SECTIONS: dict[str, tuple[Sequence[Peer], list[Case]]] = {
    "offline": (OFFLINE_PEERS, cases_of(vars(offline_cases), vars(offline_input_cases))),
    "materialize": (MATERIALIZE_PEERS, cases_of(vars(materialize_cases))),
    "online": (ONLINE_PEERS, cases_of(vars(online_cases))),
}


def outcomes(zone: str) -> Outcomes:
    """Section, case, peer: what came out in this process, whose time zone is `zone`."""
    found: Outcomes = {section: {} for section in SECTIONS}
    with embedded_redis() as url, tempfile.TemporaryDirectory() as folder:
        for number, (section, case, peer) in enumerate(_runs(zone)):
            with Redis.from_url(url) as client:
                client.flushall()
            places = Places(Path(folder) / str(number), url)
            places.folder.mkdir()
            outcome = case.outcome(Repository(peer, places))
            found[section].setdefault(case.name, {})[peer.name] = outcome
    return found


def _runs(zone: str) -> Iterator[tuple[str, Case, Peer]]:
    for section, (peers, cases) in SECTIONS.items():
        for case in cases:
            if zone in case.zones:
                yield from ((section, case, peer) for peer in peers)


if __name__ == "__main__":
    # Feast's own stores warn of themselves; what they do is what is looked at here.
    warnings.simplefilter("ignore")
    Path(sys.argv[1]).write_text(json.dumps(outcomes(os.environ["TZ"])))
