"""The whole spine on the real transactions: served over HTTP equals the offline join."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from feast_project import make_project
from redis import Redis

from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.cli.demo_parts.api import Api, serving
from lockstep.cli.demo_parts.commands import feast, lockstep
from lockstep.cli.demo_parts.proof import prove
from lockstep.cli.demo_parts.requests import bodies, events_after
from lockstep.contract.fraud import SCORED_EVENTS
from lockstep.lake.lake import Lake
from lockstep.parity.compare import recompute_at
from lockstep.parity.drift.limits import DriftLimits
from lockstep.parity.drift.profile import Profile
from lockstep.parity.drift.registered import registered_version
from lockstep.parity.drift.result import Drift
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(600)]

CUT = datetime(2018, 8, 8, tzinfo=UTC)
REQUESTED = 700
LIMITS = DriftLimits.of_tags("fraud_v1", {})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, handbook: Path) -> Iterator[Settings]:
    """A project with the real transactions built, applied, trained on and materialised at CUT."""
    folder = tmp_path_factory.mktemp("spine")
    with pytest.MonkeyPatch.context() as patch, embedded_redis() as url:
        patch.setenv("LOCKSTEP_PROJECT_DIR", str(folder))
        patch.setenv("REDIS_URL", url)
        made = make_project(folder)
        lockstep("ingest", "fraud", "--from", str(handbook))
        lockstep("build", "fraud")
        feast(made.feature_repo_dir, "apply")
        feast(made.feature_repo_dir, "materialize", "2018-04-01T00:00:00", CUT.isoformat())
        dates = ("--as-of", CUT.isoformat(), "--train-days", "21")
        lockstep("train", "fraud", *dates, "--iterations", "40")
        yield Settings(project_dir=folder, redis_url=url)


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Api]:
    with serving(settings.home_dir / "serve.log") as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def transactions(settings: Settings) -> pl.DataFrame:
    return events_after(Lake.at(settings.lake), SCORED_EVENTS, CUT, REQUESTED)


def served(api: Api, transactions: pl.DataFrame) -> list[dict[str, Any]]:
    return list(api.post("/v1/fraud/predict", bodies(SCORED_EVENTS, transactions)))


def moved(settings: Settings, transactions: pl.DataFrame) -> pl.Series:
    """Which pairs have a step in (CUT, T]."""
    tables = [
        (spec, Lake.at(settings.lake).table(spec.table).scan())
        for spec in (CUSTOMER_WINDOWS, TERMINAL_WINDOWS)
    ]
    return recompute_at(transactions, tables) != transactions["event_timestamp"]


def statuses(answers: Sequence[dict[str, Any]]) -> set[str]:
    return {value["status"] for answer in answers for value in answer["features"].values()}


def test_before_the_next_step_served_equals_the_join_at_t(
    settings: Settings, api: Api, transactions: pl.DataFrame
) -> None:
    still = transactions.filter(~moved(settings, transactions)).head(200)
    assert still.height == 200
    assert still.select("customer_id", "terminal_id").is_unique().all()
    answers = served(api, still)
    proof = prove(settings, "fraud", still, answers)
    assert proof.at_cut == 0
    assert proof.comparison.compared == 200 * 25
    assert proof.comparison.mismatches == ()
    assert statuses(answers) <= {"PRESENT", "NULL"}


def test_pairs_that_moved_on_equal_the_join_at_the_cut(
    settings: Settings, api: Api, transactions: pl.DataFrame
) -> None:
    later = transactions.filter(moved(settings, transactions))
    proof = prove(settings, "fraud", later, served(api, later))
    assert proof.at_cut == proof.rows == later.height > 0
    assert proof.comparison.mismatches == ()


def test_a_value_altered_in_redis_is_found(
    settings: Settings, api: Api, transactions: pl.DataFrame
) -> None:
    """The check can fail: one card gets another card's hash."""
    still = transactions.filter(~moved(settings, transactions)).head(20)
    victim, other = still["customer_id"].unique(maintain_order=True).head(2)
    with Redis.from_url(settings.redis_url) as redis:
        keys = {name: _key_of(redis, name) for name in (victim, other)}
        kept = redis.hgetall(keys[victim])
        redis.hset(keys[victim], mapping=redis.hgetall(keys[other]))
        try:
            proof = prove(settings, "fraud", still, served(api, still))
        finally:
            redis.hset(keys[victim], mapping=kept)
    touched = {still["customer_id"][m.row] for m in proof.comparison.mismatches}
    assert touched == {victim}


def _key_of(redis: Any, customer: int) -> bytes:
    """The key of one card, found as no code of ours finds it."""
    wanted = customer.to_bytes(8, "little")
    (key,) = [key for key in redis.scan_iter(b"*customer_id*", count=10_000) if wanted in key]
    return bytes(key)


def test_an_unknown_customer_scores_and_says_so(api: Api, transactions: pl.DataFrame) -> None:
    body = bodies(SCORED_EVENTS, transactions.head(1))[0] | {"customer_id": 10**9}
    (answer,) = api.post("/v1/fraud/predict", [body])
    assert 0 <= answer["score"] <= 1
    windows = {n: f for n, f in answer["features"].items() if n.startswith("customer_")}
    assert {f["status"] for f in windows.values()} == {"NOT_FOUND"}
    assert {f["value"] for f in windows.values()} == {None}


def test_a_later_week_has_not_drifted_and_what_is_planted_in_it_is_named(
    settings: Settings,
) -> None:
    """Beside the profile that the model was registered with."""
    reference = registered_version(settings.tracking_uri, "fraud", None).reference
    store, t = open_feature_store(settings), pl.col("event_timestamp")
    service = store.get_feature_service("fraud_v1")
    rows = Lake.at(settings.lake).table(SCORED_EVENTS.table).scan()
    asked = rows.filter(t >= CUT, t < CUT + timedelta(days=7)).select(
        "customer_id",
        "terminal_id",
        "amount_cents",
        t,
        t.dt.timestamp().alias("transaction_time_us"),
    )
    week = asked.collect()
    assert week.height > 60_000

    def drifts(entities: pl.DataFrame, nulled: str = "") -> list[Drift]:
        joined = pl.DataFrame(
            store.get_historical_features(entities.to_arrow(), service).to_arrow()
        )
        given = {
            name: joined[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() * scale
            for name in reference.features
            for scale in [float("nan") if name == nulled else 1.0]
        }
        return [
            Drift(name, "", known, Profile.of(given[name], known.edges), LIMITS, {})
            for name, known in reference.features.items()
        ]

    usual = drifts(week)
    assert max(drift.psi for drift in usual) < 0.1
    assert [drift.name for drift in usual if drift.exceeded] == []
    dear = drifts(week.with_columns(pl.col("amount_cents") * 2))
    amounts = {"tx_amount_cents", "tx_amount_to_mean_30d"}
    assert {drift.name for drift in dear if drift.exceeded} == amounts
    (gone,) = [d for d in drifts(week, "terminal_fraud_sum_7d") if d.exceeded]
    assert (gone.name, gone.now.null_share) == ("terminal_fraud_sum_7d", 1.0)
