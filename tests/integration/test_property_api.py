"""Flats over HTTP, a real Redis and a real registry: served as joined, refused by field."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from property_served import (
    CUT,
    ELSEWHERE,
    FLAT,
    PREDICT,
    PropertyProject,
    asked,
    at_the_cut,
    said,
    served,
)
from redis import Redis
from serving_client import api, problem, wait_until_ready
from starlette.testclient import TestClient

from feature_repo.store import open_feature_store
from feature_repo.windows.property import WINDOW_SPECS
from lockstep.cli.demo_parts.proof import Proof, prove
from lockstep.cli.demo_parts.requests import bodies, events_after
from lockstep.contract.name_id import name_id
from lockstep.contract.property import ATTRIBUTES, SCORED_EVENTS
from lockstep.lake.lake import Lake
from lockstep.parity.compare import recompute_at
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.score import score_day

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def client(flats_project: PropertyProject) -> Iterator[TestClient]:
    with api(flats_project.settings, flats_project.redis_url, CUT) as running:
        wait_until_ready(running)
        yield running


@pytest.fixture(scope="module")
def flats(flats_project: PropertyProject) -> pl.DataFrame:
    return events_after(Lake.at(flats_project.settings.lake), SCORED_EVENTS, CUT, 200)


def proof_of(project: PropertyProject, client: TestClient, flats: pl.DataFrame) -> Proof:
    return prove(project.settings, "property", flats, served(client, flats))


def test_served_equals_the_offline_join_bit_for_bit(
    flats_project: PropertyProject, client: TestClient, flats: pl.DataFrame
) -> None:
    proof = proof_of(flats_project, client, flats)
    assert proof.comparison.mismatches == ()
    features = len(served(client, flats.head(1))[0]["features"])
    assert (flats.height, proof.comparison.compared) == (200, 200 * features)
    assert proof.comparison.both_null < proof.comparison.compared / 2


def test_asked_at_the_cut_every_row_equals_the_join_at_t(
    flats_project: PropertyProject, client: TestClient, flats: pl.DataFrame
) -> None:
    proof = proof_of(flats_project, client, at_the_cut(flats))
    assert (proof.at_cut, proof.rows) == (0, 200)
    assert proof.comparison.mismatches == ()


def test_a_value_altered_in_redis_is_found(
    flats_project: PropertyProject, client: TestClient, flats: pl.DataFrame
) -> None:
    """The check can fail: one town gets what another has."""
    towns = flats["locality_id"].unique(maintain_order=True).to_list()
    with Redis.from_url(flats_project.redis_url) as redis:
        victim, other = map(_key_of, towns[:2])
        kept, others = redis.hgetall(victim), redis.hgetall(other)
        assert kept != others
        redis.hset(victim, mapping=others)  # type: ignore[arg-type]  # what was just read
        try:
            proof = proof_of(flats_project, client, at_the_cut(flats))
        finally:
            redis.hset(victim, mapping=kept)  # type: ignore[arg-type]  # what was just read
    assert {m.feature.split("_price")[0] for m in proof.comparison.mismatches} >= {"locality"}


def _key_of(locality_id: int) -> bytes:
    """The key of a locality, by the published layout and no code of ours."""
    fields = _field(2, b"locality_id") + _field(4, locality_id.to_bytes(8, "little"))
    return (1).to_bytes(4, "little") + fields + b"lockstep"


def _field(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data


def test_every_estimate_lies_within_its_range(client: TestClient, flats: pl.DataFrame) -> None:
    answers = served(client, flats)
    for answer in answers:
        assert 0 < answer["low"] <= answer["value"] <= answer["high"]
        assert answer["coverage"] == 0.9
        assert not {"score", "decision", "threshold"} & set(answer)
    assert len({answer["value"] for answer in answers}) > 50
    assert sum(answer["low"] < answer["value"] < answer["high"] for answer in answers) > 150


def test_a_town_is_the_same_by_its_name_and_by_its_id(client: TestClient) -> None:
    by_name = asked(client, FLAT | {"listing_id": 7})
    by_id = {"locality_id": name_id("Town 1"), "locality": None, "listing_id": 7}
    assert said(asked(client, FLAT | by_id)) == said(by_name)
    assert said(asked(client, FLAT | {"locality": " TOWN  1", "listing_id": 7})) == said(by_name)
    assert by_name["listing_id"] == 7
    assert by_name["features"]["locality_price_count_365d"]["value"] > 0
    assert said(asked(client, FLAT | {"locality": "Town 2"})) != said(asked(client, FLAT))


def test_null_and_left_out_are_the_same(client: TestClient, flats: pl.DataFrame) -> None:
    some = bodies(SCORED_EVENTS, at_the_cut(flats.head(20)))
    assert any(len(body) < len(ATTRIBUTES) for body in some)
    nulls = [dict.fromkeys(ATTRIBUTES) | body for body in some]
    without, with_nulls = ([said(asked(client, b)) for b in given] for given in (some, nulls))
    assert without == with_nulls


def test_batch_scores_are_those_of_the_api(
    flats_project: PropertyProject, client: TestClient, flats: pl.DataFrame
) -> None:
    """What a listing does not state is -1 in the lake and nothing in a request."""
    settings, day = flats_project.settings, CUT.date()
    store = open_feature_store(settings)
    scored = score_day(settings, store, "property", day, progress=lambda what, share: None)
    table = Lake.at(settings.lake).table("property/scored").read_day(day)
    assert scored.rows == table.height > 1
    lake = Lake.at(settings.lake)
    tables = [(spec, lake.table(spec.table).scan()) for spec in WINDOW_SPECS]
    still = flats.filter(recompute_at(flats, tables) == flats[EVENT_TIMESTAMP])
    still = still.filter(pl.col("listing_id").is_in(table["listing_id"].implode()))
    assert still.height > 0
    batch = still.join(table, on="listing_id", how="left", maintain_order="left")
    answers = served(client, still)
    assert batch["score"].to_list() == [answer["value"] for answer in answers]
    assert [row[0] for row in batch["outputs"]] == [answer["low"] for answer in answers]
    assert [row[-1] for row in batch["outputs"]] == [answer["high"] for answer in answers]


def test_where_nothing_is_known_an_answer_says_so(client: TestClient) -> None:
    for body, known in (
        (FLAT | ELSEWHERE, {"locality"}),
        ({**FLAT, **ELSEWHERE, "locality": "Nowhere"}, set()),
        ({**FLAT, "locality": "Nowhere"}, set()),
    ):
        answer = asked(client, body)
        assert answer["flags"] == ["NOT_FOUND"]
        assert 0 < answer["low"] <= answer["value"] <= answer["high"]
        for entity in ("locality", "district", "cell"):
            status = answer["features"][f"{entity}_price_count_365d"]["status"]
            assert (status != "NOT_FOUND") == (entity in known)
        assert answer["features"]["total_area"] == {
            "value": 40.4,
            "status": "PRESENT",
            "age_seconds": 0.0,
        }


def test_t_is_neither_before_what_is_stored_nor_far_after(client: TestClient) -> None:
    before = FLAT | {"event_timestamp": (CUT - timedelta(days=60)).isoformat()}
    assert problem(client.post(PREDICT, json=before), 422)["type"].endswith("future-features")
    later = {"event_timestamp": (CUT + timedelta(days=3)).isoformat()}
    assert "STALE" in asked(client, FLAT | later)["flags"]


def test_a_batch_answers_each_row(client: TestClient) -> None:
    rows = [FLAT, FLAT | {"total_area_dm2": -5}, {**FLAT, "locality": "Town 2"}, {}, 7]
    told = asked(client, {"rows": rows}, f"{PREDICT}/batch")["rows"]
    for row in (0, 2):
        assert said(told[row]["prediction"]) == said(asked(client, rows[row]))  # type: ignore[arg-type]  # these two are
    fields = [[e["field"] for e in told[row]["problem"]["errors"]] for row in (1, 3, 4)]
    assert fields == [["total_area_dm2"], ["total_area_dm2"], ["body"]]


def test_an_explanation_adds_up_to_the_logarithm_of_the_median(client: TestClient) -> None:
    told = asked(client, FLAT, "/v1/property/explain")
    assert said(told["prediction"]) == said(asked(client, FLAT))
    whole = told["base"] + sum(reason["contribution"] for reason in told["reasons"])
    assert whole == pytest.approx(pl.Series([told["prediction"]["value"]]).log().item())
    assert {r["feature"] for r in told["reasons"]} == set(told["prediction"]["features"])


def test_what_is_stored_of_a_place(client: TestClient, flats: pl.DataFrame) -> None:
    (body,) = bodies(SCORED_EVENTS, at_the_cut(flats.head(1)))
    answer = asked(client, body)
    asked_place = ("locality_id", "latitude_e6", "longitude_e6", "centre_m", "event_timestamp")
    place = {name: body[name] for name in asked_place}
    stored = asked(client, place, "/v1/property/features")["features"]
    assert {feature["view"] for feature in stored.values()} == {
        f"{entity}_prices" for entity in ("locality", "district", "cell")
    }
    for name in set(stored) & set(answer["features"]):
        assert {n: v for n, v in stored[name].items() if n != "view"} == answer["features"][name]
    document = problem(client.post("/v1/property/features", json=FLAT), 422)
    assert {e["field"] for e in document["errors"]} == {"total_area_dm2", "rooms"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"total_area_dm2": -4_040}, "total_area_dm2"),
        ({"total_area_dm2": 0}, "total_area_dm2"),
        ({"total_area_dm2": "4040"}, "total_area_dm2"),
        ({"total_area_dm2": True}, "total_area_dm2"),
        ({"rooms": -1}, "rooms"),
        ({"studio": False}, "studio"),
        ({"latitude_e6": 37_620_000, "longitude_e6": 55_750_000}, "latitude_e6"),
        ({"longitude_e6": -37_620_000}, "longitude_e6"),
        ({"floor": 6, "floors_total": 5}, "floors_total"),
        ({"living_area_dm2": 3_000, "kitchen_area_dm2": 1_041}, "total_area_dm2"),
        ({"locality": None}, "locality"),
        ({"locality_id": 5}, "locality"),
        ({"locality": ""}, "locality"),
        ({"locality": "  "}, "locality"),
        ({"locality": "ш" * 10_000}, "locality"),
        ({"locality": 5}, "locality"),
        ({"locality": None, "locality_id": "5"}, "locality_id"),
        ({"cell_id": 5}, "cell_id"),
    ],
)
@pytest.mark.parametrize("path", [PREDICT, "/v1/property/explain"])
def test_what_is_wrong_is_told_by_field(
    client: TestClient, path: str, wrong: dict[str, Any], field: str
) -> None:
    document = problem(client.post(path, json=FLAT | wrong), 422)
    assert document["type"].endswith("validation")
    assert [error["field"] for error in document["errors"]] == [field]
    assert field in document["detail"]
    assert len(str(document)) < 1_000


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"locality": "\\ud800", "total_area_dm2": 4040}', b"\xff", b"[]", b"null"]
)
def test_what_is_no_request_is_a_problem(client: TestClient, body: bytes) -> None:
    answer = client.post(PREDICT, content=body, headers={"Content-Type": "application/json"})
    problem(answer, 422 if body in (b"[]", b"null") else 400)
