"""Flats to try, out of the requests that came with the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fraud_project import Project, materialize
from property_served import CUT, FLAT, PropertyProject, asked, champion_without_requests, said
from serving_client import END, api, problem, wait_until_ready
from starlette.testclient import TestClient

from lockstep.contract.api_keys import Scope, add_key, new_key
from lockstep.stores.embedded_redis import embedded_redis
from serving.use_cases import USE_CASES

pytestmark = pytest.mark.timeout(600)

RANDOM = "/v1/property/random"


@pytest.fixture(scope="module")
def client(flats_project: PropertyProject) -> Iterator[TestClient]:
    with api(flats_project.settings, flats_project.redis_url, CUT) as running:
        wait_until_ready(running)
        yield running


def test_random_gives_a_request_and_its_answer(client: TestClient) -> None:
    """The clock stands still: the same request is asked at the same T."""
    shown = [client.get(RANDOM) for _ in range(10)]
    assert {answer.status_code for answer in shown} == {200}
    for example in (answer.json() for answer in shown):
        assert set(example) == {"request", "answer"}
        assert "event_timestamp" not in example["request"]
        assert said(asked(client, example["request"])) == said(example["answer"])
        at = {"event_timestamp": example["answer"]["event_timestamp"]}
        assert said(asked(client, example["request"] | at)) == said(example["answer"])
    assert len({str(answer.json()["request"]) for answer in shown}) > 1
    assert {answer.headers["content-type"] for answer in shown} == {"application/json"}


def test_random_without_a_model_or_a_use_case(client: TestClient) -> None:
    answer = client.get("/v1/clicks/random")
    assert problem(answer, 503)["type"].endswith("no-model")
    assert int(answer.headers["Retry-After"]) > 0
    assert problem(client.get("/v1/nothing/random"), 404)["instance"] == "/v1/nothing/random"
    assert problem(client.post(RANDOM, json={}), 405)["status"] == 405


def test_random_of_a_model_without_requests(
    flats_project: PropertyProject, client: TestClient, tmp_path: Path
) -> None:
    with champion_without_requests(flats_project, tmp_path / "model"):
        client.post("/v1/models/reload")
        document = problem(client.get(RANDOM), 404)
        assert document["type"].endswith("no-example")
        assert "lockstep train property" in document["detail"]
        assert asked(client, FLAT)["model"]["version"] == 2
    client.post("/v1/models/reload")
    assert client.get(RANDOM).json()["answer"]["model"]["version"] == 1


def test_random_needs_a_key_that_may_predict(
    flats_project: PropertyProject, tmp_path: Path
) -> None:
    path, headers = tmp_path / "api_keys.json", {}
    for scope in Scope:
        key, headers[scope] = new_key(scope.value, frozenset({scope}), now=CUT)
        add_key(path, key)
    settings, url = flats_project.settings, flats_project.redis_url
    with api(settings, url, CUT, auth="on", keys_file=path) as client:
        wait_until_ready(client)
        problem(client.get(RANDOM), 401)
        found = {s: client.get(RANDOM, headers={"X-API-Key": headers[s]}) for s in Scope}
    assert {s: answer.status_code for s, answer in found.items()} == {
        scope: 200 if scope is Scope.PREDICT else 403 for scope in Scope
    }


def test_random_is_described_for_every_use_case(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for use_case in USE_CASES:
        operation = document["paths"][f"/v1/{use_case}/random"]["get"]
        assert set(operation["responses"]) == {"200", "401", "403", "404", "429", "503"}
    reference = document["paths"][RANDOM]["get"]["responses"]["200"]["content"]
    name = reference["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    properties = document["components"]["schemas"][name]["properties"]
    assert [p["$ref"].rsplit("/", 1)[1] for p in properties.values()] == [
        "PropertyRequest",
        "PropertyEstimate",
    ]


def test_fraud_has_examples_too(project: Project) -> None:
    with embedded_redis() as url:
        materialize(project.settings, url, END)
        with api(project.settings, url, END) as client:
            wait_until_ready(client)
            example = client.get("/v1/fraud/random").json()
            answer = asked(client, example["request"], "/v1/fraud/predict")
    assert said(answer) == said(example["answer"])
    assert set(example["request"]) == {"customer_id", "terminal_id", "amount_cents"}
