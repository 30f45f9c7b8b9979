"""What admins do is told once it is answered or refused; no key ever is."""

from __future__ import annotations

from typing import Any

import pytest
from gate_world import ADMIN, PREDICT, READ, World
from structlog.testing import capture_logs

from lockstep.contract.api_keys import Scope


def _audits(logs: list[Any]) -> list[Any]:
    return [entry for entry in logs if entry["event"] == "audit"]


def test_what_admins_do_is_logged_once_it_is_answered(world: World) -> None:
    text = world.key(Scope.ADMIN, requests_per_second=0.01, burst=2)
    with capture_logs() as logs:
        world.status_of(ADMIN, text)
        world.status = 409
        world.status_of(ADMIN, text)
        world.status_of(ADMIN, text)
    entry = {
        "event": "audit",
        "log_level": "info",
        "key": text[4:12],
        "name": "shop",
        "method": "POST",
        "path": "/v1/models/reload",
    }
    assert _audits(logs) == [entry | {"status": status} for status in (200, 409, 429)]


def test_the_refused_are_logged_too(world: World) -> None:
    text = world.key(Scope.READ)
    with capture_logs() as logs:
        world.status_of(ADMIN, None)
        world.status_of(ADMIN, text + "x")
        world.status_of(ADMIN, text)
    told = [(entry["key"], entry["name"], entry["status"]) for entry in _audits(logs)]
    assert told == [(None, None, 401), (None, None, 401), (text[4:12], "shop", 403)]


def test_an_application_that_fails_is_logged_as_what_it_ends_in(world: World) -> None:
    text = world.key(Scope.ADMIN)
    world.status = 500
    with capture_logs() as logs, pytest.raises(ValueError, match="broken"):
        world.status_of(ADMIN, text)
    assert [entry["status"] for entry in _audits(logs)] == [500]


def test_nothing_else_is_audited_and_no_key_is_logged(world: World) -> None:
    with capture_logs() as logs:
        text = world.key(*Scope)
        for request in (PREDICT, READ, ("GET", "/live")):
            world.status_of(request, text)
            world.status_of(request, "nonsense")
        assert _audits(logs) == []
        world.status_of(ADMIN, text)
        world.status_of(ADMIN, text[:-1])
    assert len(_audits(logs)) == 2
    assert text[13:-1] not in str(logs)
