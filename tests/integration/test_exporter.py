"""What the exporter shows is what Redis, the lake and the registry hold; who is down is said."""

from __future__ import annotations

import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feast_project import HOUR, T0, apply_definitions, make_project
from free_port import free_port
from prometheus_client.parser import text_string_to_metric_families

from feature_repo.discovery import feature_views
from feature_repo.store import open_feature_store, repo_config
from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import FixedClock
from lockstep.lake.lake import Lake
from lockstep.monitoring.collect import Watched, WatchedUseCase, collect
from lockstep.monitoring.exporter import LastLook, exporting
from lockstep.monitoring.gauges import Gauges
from lockstep.parity.audit_result import AuditedService, AuditResult, write_audit, write_look
from lockstep.parity.causes import Cause
from lockstep.parity.drift.limits import DriftLimits
from lockstep.parity.drift.profile import Profile
from lockstep.parity.drift.result import Drift, DriftResult, write_drift
from lockstep.parity.sql.result import SqlCheck
from lockstep.settings import Settings

END = T0 + 72 * HOUR
NOW = datetime(2018, 5, 1, tzinfo=UTC)
LIMITS = DriftLimits.of_tags("v", {})
Samples = dict[tuple[str, ...], float]


def watched(settings: Settings, **changed: object) -> Watched:
    fraud = WatchedUseCase("fraud", feature_views("fraud"), WINDOW_SPECS)
    parts = {
        "use_cases": [fraud],
        "config": repo_config(settings),
        "lake": Lake.at(settings.lake),
        "tracking_uri": settings.tracking_uri,
        "schedule_seconds": 3_600,
    }
    return Watched(**parts | changed)  # type: ignore[arg-type]


def look(settings: Settings, **changed: object) -> Samples:
    """Samples by name and label values, in the order of the labels' names."""
    families = collect(watched(settings, **changed), FixedClock(NOW)).families()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def materialized(
    handwritten: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    monkeypatch.setenv("REDIS_URL", redis_url)
    lake = Lake.at(handwritten.lake)
    for spec in WINDOW_SPECS[:2]:
        table = lake.table(spec.table)
        build = {"seconds": 1.5, "steps": 5}
        table.write_metadata({**table.metadata(), "build": build})
    lake.table("fraud/transactions").write_metadata({"ingests": {"a": _RECEIPT, "b": _RECEIPT}})
    lake.table("fraud/verdicts").write_metadata({"ingests": {"a": _RECEIPT}})
    apply_definitions(handwritten, daily=False)
    open_feature_store(handwritten).materialize(T0 - HOUR, END)
    return handwritten


_RECEIPT = {
    "accepted": 7,
    "already_there": 0,
    "rejected": 2,
    "corrections": 1,
    "deletions": 0,
    "late": 3,
}


def test_everything_that_is_known_is_shown(materialized: Settings) -> None:
    found = look(materialized)
    assert {part: found["lockstep_up", part] for part in ("lake", "online_store", "registry")} == {
        "lake": 1,
        "online_store": 1,
        "registry": 1,
    }
    assert found["lockstep_collected_timestamp_seconds",] == NOW.timestamp()
    assert found["lockstep_schedule_interval_seconds", "fraud"] == 3_600
    for view in ("customer_windows", "terminal_windows"):
        horizon = found["lockstep_view_horizon_timestamp_seconds", "fraud", view]
        assert horizon == END.timestamp()
        assert found["lockstep_view_max_age_seconds", "fraud", view] == 2 * 86_400
        assert found["lockstep_view_materialized_rows", "fraud", view] == 2
        assert found["lockstep_view_materialized_duration_seconds", "fraud", view] > 0
        ended = found["lockstep_view_materialized_timestamp_seconds", "fraud", view]
        assert ended > datetime(2026, 1, 1, tzinfo=UTC).timestamp()
        table = f"fraud/{view}"
        assert found["lockstep_table_steps", table, "fraud"] == 5
        assert found["lockstep_table_build_seconds", table, "fraud"] == 1.5
        assert found["lockstep_table_horizon_timestamp_seconds", table, "fraud"] == END.timestamp()
    rows = {key[1]: value for key, value in found.items() if key[0] == "lockstep_ingest_rows"}
    # A source that went into two tables is one source.
    assert rows == {outcome: 2 * count for outcome, count in _RECEIPT.items()}
    # What was never built is in nobody's use.
    assert not any("customer_daily" in key for key in found)


def test_the_last_audit_is_shown_with_what_it_refuses(materialized: Settings) -> None:
    assert not any(key[0].startswith("lockstep_parity") for key in look(materialized))
    causes = {Cause.MATCH.value: 8, Cause.LATE_EVENT.value: 2}
    service = AuditedService("fraud_v1", 10, causes, {}, {}, {}, ())
    told = AuditResult("fraud", "the log", NOW, None, None, (service,), {"why": 3}, (), 1.0)
    write_audit(Lake.at(materialized.lake), told)
    write_look(Lake.at(materialized.lake), told)
    found = look(materialized)
    vectors = {key[1]: v for key, v in found.items() if key[0] == "lockstep_parity_vectors"}
    assert vectors == dict.fromkeys(Cause, 0) | causes
    live = {key[1]: v for key, v in found.items() if key[0] == "lockstep_parity_live_vectors"}
    assert live == vectors
    assert found["lockstep_parity_live_unchecked", "fraud"] == 3
    assert found["lockstep_parity_live_timestamp_seconds", "fraud"] == NOW.timestamp()
    assert found["lockstep_parity_unchecked", "fraud"] == 3
    assert found["lockstep_parity_stale_share", "fraud"] == 0.2
    assert found["lockstep_parity_audited_timestamp_seconds", "fraud"] == NOW.timestamp()
    for share, refused in ((None, 0), (0.2, 0), (0.1, 1)):
        use_case = WatchedUseCase("fraud", feature_views("fraud"), WINDOW_SPECS, share)
        shown = look(materialized, use_cases=[use_case])
        assert shown["lockstep_parity_refused", "fraud"] == refused
    later = replace(told, at=NOW + timedelta(seconds=1), sql=SqlCheck(10, 50, {"v__f": 2}))
    write_audit(Lake.at(materialized.lake), later)
    found = look(materialized)
    for name, value in (("sql_values", 50), ("sql_mismatches", 2), ("refused", 1)):
        assert found[f"lockstep_parity_{name}", "fraud"] == value


def test_the_last_look_for_drift_is_shown(materialized: Settings) -> None:
    before = Profile.of(range(1_000))
    moved = Drift("f", "v", before, Profile.of([5_000.0] * 600, before.edges), LIMITS, {})
    few = Drift("g", "v", before, Profile.of([float("nan")] * 10, before.edges), LIMITS, {})
    told = DriftResult("fraud", "s", 1, NOW, NOW, NOW, (moved, few), 600, 600, (10, 5), 0.0, None)
    assert not any(key[0].startswith("lockstep_drift") for key in look(materialized))
    write_drift(Lake.at(materialized.lake), told)
    found = look(materialized)
    for one in (moved, few):
        assert found["lockstep_drift_psi", one.name, "fraud"] == one.psi
        assert found["lockstep_drift_ks", one.name, "fraud"] == one.ks
    # All lie beyond the last edge, above which a fiftieth was.
    assert found["lockstep_drift_ks", "f", "fraud"] == 0.98
    assert found["lockstep_drift_null_share", "g", "fraud"] == 1
    assert found["lockstep_drift_exceeded", "fraud"] == 1
    assert found["lockstep_drift_unjudged", "fraud"] == 1
    assert found["lockstep_drift_volume", "fraud"] == 0.5
    assert found["lockstep_drift_timestamp_seconds", "fraud"] == NOW.timestamp()


def test_an_audit_that_is_damaged_keeps_nothing_else_from_being_shown(
    materialized: Settings,
) -> None:
    Lake.at(materialized.lake).write_bytes("_parity/audits/fraud/x.json", b"{}")
    found = look(materialized)
    assert found["lockstep_up", "lake"] == 1
    assert ("lockstep_up", "audits") not in found


def test_a_store_that_was_emptied_says_nothing_of_its_views(
    materialized: Settings, redis_url: str
) -> None:
    from redis import Redis

    with Redis.from_url(redis_url) as client:
        client.flushall()
    found = look(materialized)
    assert found["lockstep_view_max_age_seconds", "fraud", "customer_windows"] == 2 * 86_400
    assert not any(key[0].startswith("lockstep_view_materialized") for key in found)
    assert not any(key[0].startswith("lockstep_view_horizon") for key in found)


def test_redis_that_is_down_is_said_and_the_rest_is_shown(
    materialized: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    found = look(materialized)
    assert found["lockstep_up", "online_store"] == 0
    assert found["lockstep_up", "lake"] == 1
    assert found["lockstep_table_steps", "fraud/customer_windows", "fraud"] == 5


def test_of_redis_nothing_is_known_where_the_lake_is_down(
    materialized: Settings, s3_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    found = look(materialized, lake=Lake.at(s3_uri))
    assert found["lockstep_up", "lake"] == 0
    assert ("lockstep_up", "online_store") not in found


def test_only_what_has_a_schedule_can_be_late(materialized: Settings) -> None:
    name = "lockstep_schedule_interval_seconds"
    assert (name, "fraud") in look(materialized, scheduled=frozenset({"fraud"}))
    other = look(materialized, scheduled=frozenset({"clicks"}))
    assert (name, "fraud") not in other
    assert ("lockstep_view_max_age_seconds", "fraud", "customer_windows") in other


def test_redis_is_asked_where_nothing_was_built(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_project(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert look(settings)["lockstep_up", "online_store"] == 1
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert look(settings)["lockstep_up", "online_store"] == 0


def test_a_damaged_record_is_not_taken_for_a_server_that_is_down(materialized: Settings) -> None:
    lake = Lake.at(materialized.lake)
    for key in lake.list("_ledger/"):
        lake.write_bytes(key, b"{")
    found = look(materialized)
    assert ("lockstep_up", "online_store") not in found
    assert found["lockstep_up", "lake"] == 1


def test_a_registry_that_is_down_is_said(materialized: Settings) -> None:
    found = look(materialized, tracking_uri="http://127.0.0.1:9/none")
    assert found["lockstep_up", "registry"] == 0
    assert found["lockstep_up", "online_store"] == 1


def test_a_registry_that_was_never_made_is_not_made_by_looking(materialized: Settings) -> None:
    assert not (materialized.home_dir / "mlflow.db").exists()
    assert look(materialized)["lockstep_up", "registry"] == 1
    assert not (materialized.home_dir / "mlflow.db").exists()


def test_versions_and_refusals_are_those_of_the_registry(
    materialized: Settings, project: object
) -> None:
    from lockstep.contract.model_registry import model_registry

    uri = project.settings.tracking_uri  # type: ignore[attr-defined]
    assert look(materialized, tracking_uri=uri)["lockstep_model_version", "champion", "fraud"] == 1
    assert look(materialized, tracking_uri=uri)["lockstep_promotion_refused", "fraud"] == 0
    with model_registry(uri) as client:
        before = client.get_model_version("fraud", "1").tags["promotion"]
        client.set_model_version_tag("fraud", "1", "promotion", "refused")
        try:
            found = look(materialized, tracking_uri=uri)
        finally:
            client.set_model_version_tag("fraud", "1", "promotion", before)
    assert found["lockstep_promotion_refused", "fraud"] == 1


def test_a_scrape_shows_the_last_look(materialized: Settings) -> None:
    clock = FixedClock(NOW)
    seen = watched(materialized)
    with (
        exporting(
            lambda: collect(seen, clock), host="127.0.0.1", port=0, every_seconds=3_600
        ) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer,
    ):
        text = answer.read().decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert names == {family.name for family in collect(seen, clock).families()}


class _Looks:
    """1 at first, a failure then, and 3 from there on."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> Gauges:
        self.count += 1
        if self.count == 2:
            raise RuntimeError("planted")
        gauges = Gauges()
        gauges.add("lockstep_up", "lake", value=self.count)
        return gauges


def test_a_look_that_fails_leaves_the_one_before_and_looking_goes_on() -> None:
    looks, seen = _Looks(), set[float]()
    last = LastLook(looks, every_seconds=0.01)
    try:
        # A test that waits for ever is ended by its own limit.
        while 3 not in seen:
            seen |= {sample.value for family in last.collect() for sample in family.samples}
    finally:
        last.close()
    assert {1, 3} <= seen
    assert 2 not in seen
