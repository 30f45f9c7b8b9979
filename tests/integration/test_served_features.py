"""What the log of served features holds, against the answers and the steps of the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fraud_project import Project, materialize
from serving_client import END, PREDICT, api, wait_until_ready

from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.lake.lake import Lake
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.windows.spec import WindowSpec

WINDOWS = (CUSTOMER_WINDOWS, TERMINAL_WINDOWS)


@pytest.fixture(scope="module")
def answers(project: Project, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Those to some transactions after END; among them is a card that never paid."""
    rows = project.transactions.filter(pl.col("event_timestamp") > END).head(30)
    bodies = [
        {
            "customer_id": row["customer_id"],
            "terminal_id": row["terminal_id"],
            "amount_cents": row["amount_cents"],
            "event_timestamp": END.isoformat(),
        }
        for row in rows.to_dicts()
    ]
    bodies.append(bodies[0] | {"customer_id": 10**12})
    place = project.settings.model_copy(update={"lake_uri": str(tmp_path_factory.mktemp("lake"))})
    with embedded_redis() as url:
        materialize(project.settings, url, END)
        with api(place, url, END, log_share=1.0) as client:
            wait_until_ready(client)
            found = [client.post(PREDICT, json=body).json() | {"asked": body} for body in bodies]
    # Left: what was in the queue is in the lake.
    return [answer | {"lake": place.lake} for answer in found]


@pytest.fixture(scope="module")
def logged(answers: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    """Both tables."""
    folder = Path(answers[0]["lake"]) / "fraud"
    places = {"features": "served_features/fraud_v1", "predictions": "predictions"}
    return {
        name: pl.read_parquet(folder / place / "**/*.parquet") for name, place in places.items()
    }


def step_times(project: Project, spec: WindowSpec) -> dict[int, Any]:
    """When the newest step of each entity up to END happened."""
    key = spec.entity_keys[0]
    steps = Lake.at(project.settings.lake).table(spec.table).scan()
    upto = steps.filter(pl.col("event_timestamp") <= END)
    newest = upto.group_by(key).agg(pl.col("event_timestamp").max()).collect()
    return dict(newest.iter_rows())


def test_every_answer_is_logged_as_it_was_given(
    answers: list[dict[str, Any]], logged: dict[str, pl.DataFrame]
) -> None:
    predictions = {row["request_id"]: row for row in logged["predictions"].to_dicts()}
    features = {row["__request_id"]: row for row in logged["features"].to_dicts()}
    assert len(answers) == len(predictions) == len(features)
    for answer in answers:
        told, values = predictions[answer["request_id"]], features[answer["request_id"]]
        assert [told[n] for n in ("score", "decision", "threshold")] == [
            answer[n] for n in ("score", "decision", "threshold")
        ]
        found = {s["feature"]: (s["status"], s["age_seconds"]) for s in told["statuses"]}
        short = {name.rpartition("__")[2]: value for name, value in values.items()}
        for name, feature in answer["features"].items():
            assert found[name] == (feature["status"], feature["age_seconds"])
            assert short[name] == feature["value"]


def test_a_feature_has_the_event_time_of_its_step(
    answers: list[dict[str, Any]], logged: dict[str, pl.DataFrame], project: Project
) -> None:
    predictions = {row["request_id"]: row for row in logged["predictions"].to_dicts()}
    features = {row["__request_id"]: row for row in logged["features"].to_dicts()}
    seen = {spec.entity_keys[0]: step_times(project, spec) for spec in WINDOWS}
    assert len({time for times in seen.values() for time in times.values()}) > 20
    for answer in answers:
        exact = {
            s["feature"]: s["step_timestamp"] for s in predictions[answer["request_id"]]["statuses"]
        }
        row = features[answer["request_id"]]
        for spec in WINDOWS:
            key = spec.entity_keys[0]
            happened = seen[key].get(answer["asked"][key])
            seconds = happened and happened.replace(microsecond=0)
            for name in spec.features():
                assert exact[name] == happened
                assert row[f"{spec.name}__{name}__timestamp"] == seconds
        assert exact["tx_amount_cents"] is None


def test_a_card_that_never_paid_has_no_step(
    answers: list[dict[str, Any]], logged: dict[str, pl.DataFrame]
) -> None:
    row = logged["features"].filter(pl.col("__request_id") == answers[-1]["request_id"])
    assert row["customer_windows__customer_tx_count_7d__status"].to_list() == [3]
    assert row["customer_windows__customer_tx_count_7d__timestamp"].to_list() == [None]
