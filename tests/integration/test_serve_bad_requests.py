"""Requests that cannot be answered: each gets a problem document that says what to send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fraud_project import Project, materialize
from serving_client import END, GOOD, PREDICT, api, problem, wait_until_ready
from starlette.testclient import TestClient

from lockstep.stores.embedded_redis import embedded_redis
from serving.use_cases import USE_CASES

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client(project: Project) -> Iterator[TestClient]:
    with embedded_redis() as url:
        materialize(project.settings, url, END)
        now = END + timedelta(hours=2)
        with api(project.settings, url, now, max_body_bytes=10_000) as client:
            wait_until_ready(client)
            yield client


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"customer_id": "1"}, "customer_id", "valid integer"),
        ({"customer_id": 1.5}, "customer_id", "valid integer"),
        ({"customer_id": 1.0}, "customer_id", "valid integer"),
        ({"customer_id": True}, "customer_id", "valid integer"),
        ({"customer_id": None}, "customer_id", "valid integer"),
        ({"customer_id": [1]}, "customer_id", "valid integer"),
        ({"customer_id": -1}, "customer_id", "greater than or equal to 0"),
        ({"customer_id": 2**63}, "customer_id", "less than or equal to 9223372036854775807"),
        ({"terminal_id": "x"}, "terminal_id", "valid integer"),
        ({"amount_cents": -1}, "amount_cents", "greater than or equal to 0"),
        ({"amount_cents": 10**11 + 1}, "amount_cents", "less than or equal to 100000000000"),
        ({"amount_cents": 12.5}, "amount_cents", "valid integer"),
        ({"transaction_id": "a"}, "transaction_id", "valid integer"),
        ({"event_timestamp": "2018-05-11T01:00:00"}, "event_timestamp", "names no zone"),
        (
            {"event_timestamp": "2018-05-11T01:00:00+03:00"},
            "event_timestamp",
            "is in zone +03:00, expected UTC",
        ),
        ({"event_timestamp": "yesterday"}, "event_timestamp", "is not a time"),
        ({"event_timestamp": 1526000400}, "event_timestamp", "expected a text such as"),
        ({"card": 1}, "card", "Extra inputs are not permitted"),
    ],
)
def test_a_bad_field_is_named_with_what_was_expected(
    client: TestClient, changes: dict[str, Any], field: str, message: str
) -> None:
    document = problem(client.post(PREDICT, json=GOOD | changes), 422)
    assert document["type"] == "urn:lockstep:problem:validation"
    assert document["instance"] == PREDICT
    (error,) = document["errors"]
    assert error["field"] == field
    assert message in error["problem"]
    assert f"{field}: " in document["detail"]
    assert "see /docs" in document["detail"]


def test_every_missing_field_is_named(client: TestClient) -> None:
    document = problem(client.post(PREDICT, json={}), 422)
    assert {e["field"] for e in document["errors"]} == set(GOOD)
    assert {e["problem"] for e in document["errors"]} == {"Field required"}


@pytest.mark.parametrize("content", ["[]", "null", "1", '"x"'])
def test_a_body_that_is_no_object_is_refused(client: TestClient, content: str) -> None:
    document = problem(client.post(PREDICT, content=content, headers=JSON), 422)
    assert "body: Input should be an object" in document["detail"]


def test_json_must_be_declared(client: TestClient) -> None:
    document = problem(client.post(PREDICT, content=json.dumps(GOOD)), 422)
    assert "expected Content-Type: application/json" in document["detail"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"customer_id": 1', "EOF while parsing an object at line 1 column 17"),
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b"1" * 5_000, "number out of range at line 1 column 4302"),
        (b'{"customer_id": "\xff"}', "invalid unicode code point at line 1 column 18"),
        (b"NaN1", "trailing characters at line 1 column 4"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(
    client: TestClient, content: bytes, message: str
) -> None:
    document = problem(client.post(PREDICT, content=content, headers=JSON), 400)
    assert document["type"] == "urn:lockstep:problem:unreadable-body"
    assert document["errors"] == [{"field": "body", "problem": f"not JSON: {message}"}]
    assert document["detail"].startswith(f"body: not JSON: {message}; ")


def test_a_body_that_nests_too_deep_is_refused(client: TestClient) -> None:
    # How deep is too deep differs between versions of Python.
    response = client.post(PREDICT, content="[" * 9_999, headers=JSON)
    assert response.status_code in (400, 422)
    (error,) = problem(response, response.status_code)["errors"]
    assert error["field"] == "body"


def test_a_large_body_is_refused(client: TestClient) -> None:
    document = problem(client.post(PREDICT, json=GOOD | {"x": "y" * 10_000}), 413)
    assert document["detail"].startswith("the body has more than 10,000 bytes")


def test_a_large_body_of_unknown_length_is_refused(client: TestClient) -> None:
    pieces = (b"[" + b"1," * 2_000 for _ in range(10))
    document = problem(client.post(PREDICT, content=pieces, headers=JSON), 413)
    assert document["detail"].startswith("the body has more than 10,000 bytes")


def test_an_unknown_use_case_is_not_found(client: TestClient) -> None:
    document = problem(client.post("/v1/frauds/predict", json=GOOD), 404)
    known = sorted(USE_CASES)
    assert document["detail"] == f"there is no use case 'frauds'; use one of {known}"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PREDICT, 405),
        ("POST", f"{PREDICT}/", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/live", 405),
    ],
)
def test_other_paths_and_methods_are_problems_too(
    client: TestClient, method: str, path: str, status: int
) -> None:
    document = problem(client.request(method, path), status)
    assert document["instance"] == path
