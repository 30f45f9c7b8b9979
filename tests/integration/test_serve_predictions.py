"""Predictions by entity id: the values in Redis, their statuses, and T."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import takewhile
from typing import Any

import polars as pl
import pytest
from fraud_project import Project, materialize, training_rows
from google.protobuf.timestamp_pb2 import Timestamp
from redis import Redis
from serving_client import END, PREDICT, api, problem, wait_until_ready
from starlette.testclient import TestClient

from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.lake.lake import Lake
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import WindowSpec

NOW = END + timedelta(hours=2)
MICROSECOND = timedelta(microseconds=1)
UNKNOWN = 10**12


@pytest.fixture(scope="module")
def redis_address(project: Project) -> Iterator[str]:
    """A Redis in which the project is materialised up to END."""
    with embedded_redis() as url:
        materialize(project.settings, url, END)
        yield url


@pytest.fixture(scope="module")
def client(project: Project, redis_address: str) -> Iterator[TestClient]:
    with api(project.settings, redis_address, NOW) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture(scope="module")
def later(project: Project) -> pl.DataFrame:
    """The first transactions after END."""
    return project.transactions.filter(pl.col("event_timestamp") > END).head(40)


def body(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The request for one transaction."""
    return {
        "customer_id": row["customer_id"],
        "terminal_id": row["terminal_id"],
        "amount_cents": row["amount_cents"],
        "event_timestamp": row["event_timestamp"].isoformat(),
    } | changes


def newest_steps(project: Project, spec: WindowSpec) -> pl.DataFrame:
    """The newest step of each entity up to END, straight from the lake."""
    key = spec.entity_keys[0]
    steps = Lake.at(project.settings.lake).table(spec.table).scan()
    upto = steps.filter(pl.col("event_timestamp") <= END).sort(
        "event_timestamp", "created_timestamp"
    )
    return upto.group_by(key).last().select(key, *spec.features()).collect()


def test_stored_features_are_the_newest_steps_of_the_lake(
    client: TestClient, project: Project, later: pl.DataFrame
) -> None:
    newest = {
        spec.entity_keys[0]: newest_steps(project, spec)
        for spec in (CUSTOMER_WINDOWS, TERMINAL_WINDOWS)
    }
    compared = 0
    for row in later.iter_rows(named=True):
        served = client.post(PREDICT, json=body(row)).json()["features"]
        for key, steps in newest.items():
            for found in steps.filter(pl.col(key) == row[key]).drop(key).iter_rows(named=True):
                assert {name: served[name]["value"] for name in found} == found
                compared += len(found)
    assert compared > 9 * later.height


def test_every_feature_equals_the_offline_join_while_no_step_lies_between(
    client: TestClient, project: Project, later: pl.DataFrame
) -> None:
    """At the microsecond after END nothing can have happened since."""
    t = END + MICROSECOND
    rows = later.unique("transaction_id").sort("transaction_id")
    entities = rows.select("transaction_id", "customer_id", "terminal_id", "amount_cents")
    entities = entities.with_columns(
        event_timestamp=pl.lit(t, pl.Datetime("us", "UTC")),
        transaction_time_us=pl.lit(microseconds(t)),
    )
    dataset = training_rows(project.settings, entities)
    for row in dataset.rows.iter_rows(named=True):
        served = client.post(PREDICT, json=body(row)).json()["features"]
        assert list(served) == list(dataset.feature_order)
        expected = {name: row[name] for name in dataset.feature_order}
        assert {name: feature["value"] for name, feature in served.items()} == expected


def test_the_score_is_the_models_for_these_features(
    client: TestClient, project: Project, later: pl.DataFrame
) -> None:
    from lockstep.contract.registered_model import load_model

    served = load_model(project.settings.tracking_uri, "fraud")
    answers = [client.post(PREDICT, json=body(r)).json() for r in later.iter_rows(named=True)]
    columns = {
        name: [answer["features"][name]["value"] for answer in answers]
        for name in served.predictor.artefact.feature_order
    }
    assert [answer["score"] for answer in answers] == served.predictor.scores(columns).tolist()
    for answer in answers:
        is_blocked = answer["score"] >= answer["threshold"]
        assert answer["decision"] == ("block" if is_blocked else "allow")
    assert {answer["decision"] for answer in answers} == {"block", "allow"}


def test_an_answer_names_its_model_and_its_request(
    client: TestClient, project: Project, later: pl.DataFrame
) -> None:
    request = body(later.row(0, named=True), transaction_id=77)
    first, second = (client.post(PREDICT, json=request).json() for _ in range(2))
    assert first["transaction_id"] == 77
    assert first["model"]["name"] == "fraud"
    assert first["model"]["feature_service"] == "fraud_v1"
    assert first["threshold"] == project.training.threshold
    assert first["request_id"] != second["request_id"]


def test_an_unknown_customer_scores_and_is_not_found(
    client: TestClient, later: pl.DataFrame
) -> None:
    request = body(later.row(0, named=True), customer_id=UNKNOWN)
    answer = client.post(PREDICT, json=request).json()
    assert 0 < answer["score"] < 1
    of_customer = {n: f for n, f in answer["features"].items() if n.startswith("customer_")}
    assert {feature["status"] for feature in of_customer.values()} == {"NOT_FOUND"}
    assert {feature["value"] for feature in of_customer.values()} == {None}
    computed = answer["features"]["tx_count_30d"]
    assert computed == {"value": 1, "status": "PRESENT", "age_seconds": 0.0}
    assert answer["features"]["tx_amount_to_mean_30d"]["status"] == "NULL"


def test_a_pair_of_strangers_scores_too(client: TestClient) -> None:
    request = {"customer_id": UNKNOWN, "terminal_id": UNKNOWN, "amount_cents": 0}
    assert client.post(PREDICT, json=request).status_code == 200


def test_without_a_time_t_is_now(client: TestClient, later: pl.DataFrame) -> None:
    row = later.row(0, named=True)
    without = {key: value for key, value in body(row).items() if key != "event_timestamp"}
    answer = client.post(PREDICT, json=without).json()
    assert answer["event_timestamp"] == "2018-05-11T02:00:00Z"
    assert answer["features"]["tx_is_night"]["value"] == 1
    # The horizon is the microsecond after END.
    assert answer["features"]["customer_tx_count_1d"]["age_seconds"] == 7199.999999


def test_a_t_before_the_stored_step_is_refused(client: TestClient, later: pl.DataFrame) -> None:
    request = body(later.row(0, named=True), event_timestamp="2018-04-01T00:00:00Z")
    document = problem(client.post(PREDICT, json=request), 422)
    assert document["type"] == "urn:lockstep:problem:future-features"
    assert (
        "'customer_windows' holds values that became known after T = 2018-04-01"
        in document["detail"]
    )
    assert "send a later event_timestamp" in document["detail"]


def test_a_value_that_became_known_after_t_is_refused(
    client: TestClient, redis_address: str, later: pl.DataFrame
) -> None:
    row = later.row(0, named=True)
    fresh = client.post(PREDICT, json=body(row))
    with Redis.from_url(redis_address) as redis:
        (key,) = [
            key
            for key in redis.scan_iter(b"*customer_id*")
            if row["customer_id"].to_bytes(8, "little") in key
        ]
        created = redis.hget(key, "_created:customer_windows")
        redis.hset(key, "_created:customer_windows", Timestamp(seconds=2**31).SerializeToString())
        refused = client.post(PREDICT, json=body(row))
        redis.hset(key, "_created:customer_windows", created)
    assert problem(refused, 422)["type"] == "urn:lockstep:problem:future-features"
    assert client.post(PREDICT, json=body(row)).json()["score"] == fresh.json()["score"]


def test_a_stale_value_is_kept_and_said_to_be_stale(
    client: TestClient, later: pl.DataFrame
) -> None:
    row = later.row(0, named=True)
    fresh = client.post(PREDICT, json=body(row)).json()["features"]
    request = body(row, event_timestamp=(END + timedelta(days=90)).isoformat())
    stale = client.post(PREDICT, json=request).json()["features"]
    stored = [name for name in stale if not name.startswith("tx_")]
    assert {stale[name]["status"] for name in stored} == {"STALE"}
    assert [stale[n]["value"] for n in stored] == [fresh[n]["value"] for n in stored]


def test_a_request_reads_each_hash_once_and_nothing_else(
    client: TestClient, redis_address: str, later: pl.DataFrame
) -> None:
    row = later.row(0, named=True)
    with Redis.from_url(redis_address) as redis:
        redis.ping()
        client.post(PREDICT, json=body(row))
        with redis.monitor() as monitor:
            client.post(PREDICT, json=body(row))
            redis.echo("end")
            seen = (entry["command"].split()[0] for entry in monitor.listen())
            commands = list(takewhile(lambda command: command != "ECHO", seen))
    assert commands.count("HMGET") == 2
    # CLIENT: a new connection of the test's own says who it is.
    assert set(commands) <= {"HMGET", "GET", "CLIENT"}


def test_metrics_count_predictions(client: TestClient, later: pl.DataFrame) -> None:
    series = 'http_requests_total{handler="/v1/fraud/predict",method="POST",status="2xx"}'
    counted = []
    for _ in range(2):
        client.post(PREDICT, json=body(later.row(0, named=True)))
        text = client.get("/metrics").text
        counted += [float(line.split()[-1]) for line in text.splitlines() if series in line]
    assert counted[1] == counted[0] + 1
    assert "process_resident_memory_bytes" in text


def test_the_api_describes_itself(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"][PREDICT]["post"]
    statuses = {"200", "400", "401", "403", "408", "413", "422", "429", "503"}
    assert set(operation["responses"]) == statuses
    assert list(operation["responses"]["422"]["content"]) == ["application/problem+json"]
    assert operation["security"] == [{"header": []}, {"bearer": []}]
    assert "security" not in document["paths"]["/live"]["get"]
    amount = document["components"]["schemas"]["FraudRequest"]["properties"]["amount_cents"]
    assert (amount["minimum"], amount["maximum"]) == (0, 100_000_000_000)
    assert amount["examples"]
    assert "cents" in amount["description"]


def test_every_reference_of_the_openapi_document_resolves(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))
    assert references
    for reference in references:
        found = document
        for part in reference.split("/"):
            found = found[part]


def test_the_documentation_page_needs_nothing_from_outside(client: TestClient) -> None:
    page = client.get("/docs").text
    assert re.findall(r'(?:src|href)="([^"]+)"', page)
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert client.get(asset).status_code == 200
