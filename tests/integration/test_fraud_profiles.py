"""`fraud_v2` in a built project: what is served is what training joins."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from fraud_project import Project, materialize
from polars.testing import assert_frame_equal

from feature_repo.definitions.fraud import fraud_v2
from feature_repo.store import open_feature_store
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.windows.microseconds import microseconds
from training.dataset import feature_names

T = datetime(2018, 5, 11, tzinfo=UTC)
# The generated cards are 0 to 99; the last ones here nobody ever saw.
CARDS = range(110)


def test_what_is_served_is_what_training_joins(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.DataFrame({"customer_id": CARDS}).with_columns(
        terminal_id=pl.col("customer_id") * 7,
        amount_cents=500 + pl.col("customer_id"),
        transaction_time_us=pl.lit(microseconds(T)),
    )
    names = list(feature_names(fraud_v2))
    with embedded_redis() as url:
        materialize(project.settings, url, T)
        monkeypatch.setenv("REDIS_URL", url)
        store = open_feature_store(project.settings)
        online = store.get_online_features(
            features=store.get_feature_service("fraud_v2"), entity_rows=rows.to_dicts()
        ).to_dict()
    entities = rows.with_columns(event_timestamp=pl.lit(T).dt.cast_time_unit("us"))
    offline = store.get_historical_features(
        entity_df=entities, features=store.get_feature_service("fraud_v2")
    )
    joined = pl.DataFrame(offline.to_arrow()).select(names)
    served = pl.DataFrame({name: online[name] for name in names}, schema=joined.schema)
    assert_frame_equal(served, joined, check_exact=True)
    usual = joined["customer_profile_amount_cents_mean_60d"]
    assert 0 < usual.null_count() < len(CARDS) / 2
    assert joined["terminal_profile_fraud_sum_21d"].sum() > 0
