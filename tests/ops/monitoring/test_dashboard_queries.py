"""Every query on a real Prometheus that scrapes a real API under load, and a real exporter."""

from __future__ import annotations

import math
import re

import pytest
from monitoring_files import Query, documented_metrics, queries
from monitoring_servers import Server, wait_until
from watched_platform import Watched

PLANTED = (
    'sum by (use_case) (rate(lockstep_decision_total{use_case=~"$use_case"}[$__rate_interval]))',
    'use_case:prediction_failures:share5m{usecase=~"$use_case"}',
)

# On a machine with much else to do, its servers take minutes to start.
pytestmark = pytest.mark.timeout(1800)


def _shown(server: Server, expr: str) -> bool:
    return any(math.isfinite(value) for _, value in server.query(expr))


@pytest.mark.parametrize("query", queries(), ids=lambda q: f"{q.board}: {q.panel}")
def test_a_panel_shows_something(watched: Watched, query: Query) -> None:
    wait_until(lambda: _shown(watched.prometheus, query.asked()))
    if "$use_case" in query.expr:
        assert watched.prometheus.query(query.asked("nobodys")) == []


@pytest.mark.parametrize("expr", PLANTED)
def test_a_planted_mistake_shows_nothing(watched: Watched, expr: str) -> None:
    sound = queries()[0]
    wait_until(lambda: _shown(watched.prometheus, sound.asked()))
    planted = Query("planted", "planted", expr)
    assert not _shown(watched.prometheus, planted.asked())


def test_use_cases_to_choose_from_are_those_that_are_installed(watched: Watched) -> None:
    path = "/api/v1/label/use_case/values?match[]=lockstep_models_refused"
    found = wait_until(lambda: watched.prometheus.get(path)["data"])
    assert found == ["clicks", "fraud", "market", "property"]


def test_every_target_is_scraped_and_every_rule_evaluates(watched: Watched) -> None:
    jobs = {"alertmanager", "api", "cadvisor", "exporter", "kube_state_metrics"}
    expected = jobs | {"prometheus", "redis"}
    server = watched.prometheus
    wait_until(lambda: {labels["job"] for labels, _ in server.query("up == 1")} == expected)
    groups = wait_until(lambda: _evaluated(server))
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


def _evaluated(server: Server) -> list[dict[str, object]]:
    groups = server.get("/api/v1/rules")["data"]["groups"]
    unknown = [r for group in groups for r in group["rules"] if r["health"] == "unknown"]
    return [] if unknown else groups


def test_what_is_of_2018_is_told_to_be_too_old(watched: Watched) -> None:
    labels = '{alertname="FeatureAgeAboveDeclared",view="customer_windows",use_case="fraud"}'
    assert wait_until(lambda: watched.prometheus.query("ALERTS" + labels))


def test_strangers_are_asked_for_a_password(watched: Watched) -> None:
    for server in (watched.prometheus, watched.alertmanager):
        assert server.status_without_password("/metrics") == 401
        assert server.status_without_password("/") == 401
    found = wait_until(
        lambda: watched.prometheus.get("/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    )
    assert [one["url"] for one in found] == [f"{watched.alertmanager.url}/api/v2/alerts"]


def test_the_table_of_metrics_is_what_is_shown(watched: Watched, monitoring_page: str) -> None:
    wait_until(lambda: "lockstep_view_horizon" in watched.exposition())
    shown: dict[str, set[str]] = {}
    for name, labels in re.findall(
        r"^(lockstep_[a-z_]+|http_[a-z_]+)(?:{(.*)})? ", watched.exposition(), re.MULTILINE
    ):
        if not name.endswith("_created"):
            family = re.sub("_(bucket|sum|count)$", "", name)
            found = shown.setdefault(family, set())
            found |= set(re.findall(r'([a-z_]+)="', labels)) - {"le"}
    documented = documented_metrics(monitoring_page)
    assert {name: documented.get(name) for name in shown} == shown
