"""Ten thousand malformed requests: none is the server's fault, and each is told what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fraud_project import Project, materialize
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from malformed_requests import BATCH, GOOD_BODIES, MOST_ROWS, Sent, malformed
from serving_client import END, api, wait_until_ready
from starlette.testclient import TestClient

from lockstep.contract.api_keys import Scope, add_key, new_key
from lockstep.stores.embedded_redis import embedded_redis
from serving.use_cases import USE_CASES

WANTED = 10_000
AT_ONCE = 20
DOCUMENT = {"type", "title", "status", "detail", "instance", "errors"}
KEY, KEY_TEXT = new_key("malformed", frozenset(Scope), now=END)


@pytest.fixture(scope="module")
def client(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    keys = tmp_path_factory.mktemp("keys") / "api_keys.json"
    add_key(keys, KEY)
    limits: dict[str, Any] = {"auth": "on", "keys_file": keys, "max_batch_rows": MOST_ROWS}
    with embedded_redis() as url:
        materialize(project.settings, url, END)
        now = END + timedelta(hours=2)
        with api(project.settings, url, now, max_body_bytes=100_000, **limits) as client:
            wait_until_ready(client)
            yield client


@dataclass(frozen=True)
class Answered:
    """One answer, whole."""

    status: int
    kind: str
    body: bytes


def test_the_good_requests_are_answered_and_cover_the_paths(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    posts = {path for path, of in document["paths"].items() if "post" in of}
    # Of use cases without a model here, the paths are the same ones.
    of_others = {f"/v1/{name}/" for name in USE_CASES if name != "fraud"}
    assert {path for path in posts if not path.startswith(tuple(of_others))} == set(GOOD_BODIES)
    assert len(posts) == len(GOOD_BODIES) + len(of_others) * (len(GOOD_BODIES) - 1)
    for path, body in GOOD_BODIES.items():
        assert client.post(path, json=body, headers={"X-API-Key": KEY_TEXT}).status_code == 200


def test_malformed_requests_are_never_the_servers_fault(client: TestClient) -> None:
    told: Counter[str] = Counter()

    # No shrinking to wait for: what failed is shown as it was.
    @given(st.lists(malformed(KEY_TEXT), min_size=AT_ONCE, max_size=AT_ONCE))
    @settings(
        # Some turn out to be good.
        max_examples=WANTED * 9 // 8 // AT_ONCE,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    def ask(requests: Sequence[Sent]) -> None:
        assert client.portal is not None
        answers = client.portal.call(_ask_all, client.app, requests)
        for sent, answered in zip(requests, answers, strict=True):
            told[_checked(sent, answered)] += 1

    ask()
    assert told.total() - told["200"] >= WANTED, told
    # Every kind of refusal is among them.
    assert {"400", "401", "404", "405", "413", "422", "200 with problems"} <= set(told)


def _checked(sent: Sent, answered: Answered) -> str:
    """What was answered, which must be an answer or a problem document."""
    assert answered.status < 500, (sent, answered)
    if answered.status != 200:
        assert answered.kind == "application/problem+json", (sent, answered)
        _check_problem(json.loads(answered.body), answered.status)
        return str(answered.status)
    assert (answered.kind, sent.method) == ("application/json", "POST"), (sent, answered)
    document = json.loads(answered.body)
    if sent.path != BATCH:
        assert {"score", "features", "prediction"} & set(document)
        return "200"
    rows = json.loads(sent.body)["rows"]
    assert len(document["rows"]) == len(rows) <= MOST_ROWS
    return "200 with problems" if sum(map(_has_problem, document["rows"])) else "200"


def _has_problem(row: dict[str, Any]) -> bool:
    """Whether the row of a batch was refused; otherwise it has a score."""
    assert len(row) == 1
    if "problem" in row:
        _check_problem(row["problem"], 422)
        return True
    assert 0 <= row["prediction"]["score"] <= 1
    return False


def _check_problem(document: dict[str, Any], status: int) -> None:
    assert document["status"] == status
    assert set(document) == DOCUMENT
    assert document["detail"]


async def _ask_all(app: Any, requests: Sequence[Sent]) -> list[Answered]:
    """The answers to requests that come together, without a client's work in between."""
    return await asyncio.gather(*(_ask(app, sent) for sent in requests))


async def _ask(app: Any, sent: Sent) -> Answered:
    size = len(sent.body) // sent.pieces + 1
    cuts = range(0, max(len(sent.body), 1), size)
    incoming = iter(
        [
            {"type": "http.request", "body": sent.body[at : at + size], "more_body": at != cuts[-1]}
            for at in cuts
        ]
    )
    messages: list[Any] = []

    async def receive() -> Any:
        return next(incoming)

    async def send(message: Any) -> None:
        messages.append(message)

    await app(_scope(sent), receive, send)
    start, *bodies = messages
    headers = dict(start["headers"])
    body = b"".join(message.get("body", b"") for message in bodies)
    return Answered(start["status"], headers[b"content-type"].decode(), body)


def _scope(sent: Sent) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": sent.method,
        "scheme": "http",
        "path": sent.path,
        "raw_path": sent.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(sent.headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
