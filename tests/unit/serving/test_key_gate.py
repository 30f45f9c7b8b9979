"""The gate: what needs a key, what a key may, and what is told of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from fastapi_offline import FastAPIOffline
from gate_world import ADMIN, NOW, PREDICT, READ, World, receive
from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.api_keys import Scope, add_key, new_key, revoke_key
from lockstep.contract.clock import FixedClock
from serving.gate import KeyGate, default_scopes
from serving.key_ring import KeyRing
from serving.rate_limit import RateLimit

_SEGMENTS = st.text(st.characters(exclude_characters="/"), max_size=8)
_OPEN = (
    *("/", "/live", "/ready", "/startup", "/favicon.ico", "/openapi.json"),
    *("/docs", "/redoc", "/docs/oauth2-redirect", "/static-offline-docs/swagger-ui.css"),
    "/console/console.js",
)


@pytest.mark.parametrize("path", _OPEN)
def test_open_paths_need_no_key(world: World, path: str) -> None:
    assert world.ask("GET", path).status == 200
    assert world.ask("GET", path, ("X-API-Key", "nonsense")).status == 200
    assert "state" not in world.reached[0]


def test_all_that_the_documentation_page_loads_is_open() -> None:
    app = FastAPIOffline()
    routes = {route.path for route in app.routes}
    needed = {path: default_scopes("GET", path) for path in routes - {"/static-offline-docs"}}
    assert set(needed.values()) == {None}
    page = TestClient(app).get("/docs").text
    assert page.count("/static-offline-docs/") == 3
    assert default_scopes("GET", "/static-offline-docs/swagger-ui-bundle.js") is None


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/fraud/predict", Scope.PREDICT),
        ("POST", "/v1/fraud/predict/batch", Scope.PREDICT),
        ("POST", "/v1/nobody/explain", Scope.PREDICT),
        ("GET", "/v1/nobody/random", Scope.PREDICT),
        ("POST", "/v1/nobody/random", Scope.READ),
        ("POST", "/v1/fraud/features", Scope.READ),
        ("GET", "/v1/models", Scope.READ),
        ("GET", "/metrics", Scope.READ),
        ("GET", "/v1/parity", Scope.READ),
        ("POST", "/v1/models/reload", Scope.ADMIN),
        ("GET", "/v1/fraud/predict", Scope.READ),
        ("POST", "/v1/fraud/predict\n", Scope.READ),
        ("POST", "/v1/fraud/predict/", Scope.READ),
        ("POST", "/v1/a/b/predict", Scope.READ),
        ("GET", "/static-offline-docs", Scope.READ),
        ("GET", "/console", Scope.READ),
        ("GET", "/live/", Scope.READ),
        ("GET", "//live", Scope.READ),
    ],
)
def test_what_a_path_needs(method: str, path: str, scope: Scope) -> None:
    assert default_scopes(method, path) is scope


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]), st.lists(_SEGMENTS, min_size=1))
def test_whatever_is_not_listed_needs_a_key(method: str, segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    if path not in _OPEN and segments[0] not in ("static-offline-docs", "console"):
        assert default_scopes(method, path) is not None
    assert default_scopes(method, f"/v1{path}") is not None


def test_without_a_key_the_answer_says_how_to_send_one(world: World) -> None:
    answer = world.ask(*PREDICT)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"] == "urn:lockstep:problem:unauthorized"
    assert answer.body["status"] == 401
    assert answer.body["instance"] == "/v1/fraud/predict"
    assert "X-API-Key" in answer.body["detail"]
    assert world.reached == []


@pytest.mark.parametrize(
    "header",
    [
        ("X-API-Key", "{}"),
        ("Authorization", "Bearer {}"),
        ("Authorization", "bearer {}"),
        ("Authorization", "BEARER  {} "),
    ],
)
def test_a_key_opens_what_its_scope_names(world: World, header: tuple[str, str]) -> None:
    text = world.key(Scope.PREDICT)
    answer = world.ask(*PREDICT, (header[0], header[1].format(text)))
    assert answer.status == 200
    assert world.reached[0]["state"]["api_key"] == text[4:12]


@pytest.mark.parametrize(
    "header",
    [
        ("X-API-Key", ""),
        ("X-API-Key", "Bearer {}"),
        ("Authorization", "{}"),
        ("Authorization", "Basic {}"),
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer {}x"),
        ("Cookie", "X-API-Key={}"),
        ("X-API-Key", "\xe9\xff"),
    ],
)
def test_what_is_not_a_key_opens_nothing(world: World, header: tuple[str, str]) -> None:
    text = world.key(*Scope)
    assert world.ask(*PREDICT, (header[0], header[1].format(text))).status == 401
    assert world.reached == []


def test_the_header_of_its_own_comes_first(world: World) -> None:
    text = world.key(Scope.READ)
    good, bad = f"Bearer {text}", "nonsense"
    assert world.ask(*READ, ("Authorization", good), ("X-API-Key", bad)).status == 401
    assert world.ask(*READ, ("X-API-Key", text), ("Authorization", bad)).status == 200


@given(st.text(st.characters(codec="latin-1"), max_size=80))
def test_a_random_key_never_reaches_the_application(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    world = World(tmp_path_factory.mktemp("keys") / "keys.json")
    world.key(*Scope)
    for request in (PREDICT, READ, ADMIN):
        assert world.status_of(request, text) == 401
    assert world.reached == []


@given(st.frozensets(st.sampled_from(Scope), min_size=1))
def test_scopes_are_exactly_as_listed(
    tmp_path_factory: pytest.TempPathFactory, scopes: frozenset[Scope]
) -> None:
    world = World(tmp_path_factory.mktemp("keys") / "keys.json")
    text = world.key(*scopes)
    for request, needed in ((PREDICT, "predict"), (READ, "read"), (ADMIN, "admin")):
        answer = world.ask(*request, ("X-API-Key", text))
        assert answer.status == (200 if needed in scopes else 403)
        if answer.status == 403:
            assert f"lacks the scope '{needed}'" in answer.body["detail"]
            assert answer.body["type"] == "urn:lockstep:problem:forbidden"
    assert len(world.reached) == len(scopes)


def test_an_expired_key_is_refused(world: World) -> None:
    text = world.key(Scope.READ, days=1)
    assert world.status_of(READ, text) == 200
    later = World(world.path, now=NOW + timedelta(days=1))
    assert later.status_of(READ, text) == 401


def test_a_revoked_key_is_refused_a_second_later(world: World) -> None:
    text = world.key(Scope.READ)
    assert world.status_of(READ, text) == 200
    revoke_key(world.path, text[4:12])
    world.seconds += 1
    assert world.status_of(READ, text) == 401


def test_a_proxy_s_prefix_does_not_hide_what_a_path_needs(world: World) -> None:
    text = world.key(Scope.READ)
    assert world.ask(*ADMIN, ("X-API-Key", text), root_path="/scores").status == 403
    assert world.ask("GET", "/live", root_path="/scores").status == 200


def test_a_websocket_is_gated_as_well(world: World) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/stream", "headers": []}
    asyncio.run(world.gate(scope, receive, send))
    assert sent[0]["status"] == 401
    assert world.reached == []


def test_it_works_as_middleware_of_an_application(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key, text = new_key("shop", frozenset({Scope.PREDICT}), now=NOW)
    add_key(path, key)
    app = FastAPI()

    @app.post("/v1/fraud/predict")
    async def predict(request: Request) -> str:
        return str(request.state.api_key)

    app.add_middleware(
        KeyGate,
        ring=KeyRing(path),
        limit=RateLimit(),
        scope_of=default_scopes,
        clock=FixedClock(NOW),
    )
    with TestClient(app) as client:
        assert client.post("/v1/fraud/predict").status_code == 401
        answer = client.post("/v1/fraud/predict", headers={"X-API-Key": text})
    assert (answer.status_code, answer.json()) == (200, key.id)
