"""What a service declares about statuses holds in training, in batch and over HTTP alike."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from feast_project import apply_definitions
from fraud_project import materialize, train_small, training_rows
from serving_client import END, PREDICT, api, problem, wait_until_ready

from feature_repo.definitions import fraud
from feature_repo.store import open_feature_store
from lockstep.contract.status_policy import REJECTED
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.windows.microseconds import microseconds
from training.score import score_day

UNKNOWN = 10**12
T = END + timedelta(microseconds=1)


def tagged(settings: Settings, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str]) -> Settings:
    """The project with a policy, and a champion that was trained under it."""
    monkeypatch.setattr(fraud.fraud_v1, "tags", tags)
    apply_definitions(settings)
    train_small(settings)
    return settings


def test_a_default_is_what_the_model_saw_and_sees(
    untrained: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tagged(untrained, monkeypatch, {"on_not_found": "-7", "on_null": "-3"})
    request = {"customer_id": UNKNOWN, "terminal_id": 2, "amount_cents": 300}
    entities = pl.DataFrame(
        {
            "transaction_id": [1],
            **{name: [value] for name, value in request.items()},
            "event_timestamp": pl.Series([T], dtype=pl.Datetime("us", "UTC")),
            "transaction_time_us": [microseconds(T)],
        }
    )
    dataset = training_rows(settings, entities)
    offline = dataset.rows.select(dataset.feature_order).row(0, named=True)
    with embedded_redis() as url:
        materialize(settings, url, END)
        with api(settings, url, T) as client:
            wait_until_ready(client)
            answer = client.post(PREDICT, json=request).json()
    served = {name: feature["value"] for name, feature in answer["features"].items()}
    assert served == offline
    assert served["customer_tx_count_30d"] == -7
    assert answer["features"]["customer_tx_count_30d"]["status"] == "NOT_FOUND"
    # On-demand functions see what was stored, and have a null policy of their own.
    assert served["tx_count_30d"] == 1
    assert answer["features"]["tx_amount_to_mean_30d"]["value"] is None
    assert answer["flags"] == []


def test_what_is_rejected_has_no_score_anywhere(
    untrained: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tagged(untrained, monkeypatch, {"on_null": "reject", "on_not_found": "flag"})
    day = (END - timedelta(days=1)).date()
    summary = score_day(
        settings, open_feature_store(settings), "fraud", day, progress=lambda *_: None
    )
    rows = Lake.at(settings.lake).table("fraud/scored").read_day(day)
    stored = [name for name in rows.columns if name.endswith("__status") and name[:3] != "tx_"]
    has_null = rows.select(pl.any_horizontal(pl.col(name) == "NULL" for name in stored))
    is_rejected = rows.get_column("decision") == REJECTED
    assert is_rejected.to_list() == has_null.to_series().to_list()
    assert rows.get_column("score").is_null().to_list() == is_rejected.to_list()
    assert 0 < is_rejected.sum() < rows.height
    assert summary.rows == rows.height
    with embedded_redis() as url:
        materialize(settings, url, END)
        with api(settings, url, T) as client:
            wait_until_ready(client)
            nulls = [
                (card, feature)
                for card in range(40)
                for feature in client.post(
                    "/v1/fraud/features", json={"customer_id": card, "terminal_id": 2}
                )
                .json()["features"]
                .items()
                if feature[1]["status"] == "NULL"
            ]
            (card, (name, _)), *_ = [pair for pair in nulls if "customer" in pair[1][0]]
            body = {"customer_id": card, "terminal_id": 2, "amount_cents": 300}
            document = problem(client.post(PREDICT, json=body), 422)
            assert document["type"] == "urn:lockstep:problem:rejected-status"
            assert f"{name} is NULL" in document["detail"]
            batch = client.post(f"{PREDICT}/batch", json={"rows": [body, body]})
            assert batch.status_code == 200
            assert [row["problem"]["status"] for row in batch.json()["rows"]] == [422, 422]
