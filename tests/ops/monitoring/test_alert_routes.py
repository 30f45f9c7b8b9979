"""Who is told of what: routes by amtool, and a real Alertmanager that tells and holds back."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from monitoring_files import ALERTMANAGER, alerts
from monitoring_servers import Secrets, alertmanager, pages, wait_until

_RECEIVERS = {"page": "pages", "ticket": "tickets"}


def _amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)


def _is_routed(config: Path, rule: dict[str, Any]) -> bool:
    """Whether amtool finds the receiver that this alert's severity is for."""
    severity = rule["labels"]["severity"]
    labels = {"alertname": rule["alert"], "use_case": "parcels", **rule["labels"]}
    told = [f"{name}={value}" for name, value in labels.items()]
    verify = f"--verify.receivers={_RECEIVERS[severity]}"
    done = _amtool("config", "routes", "test", f"--config.file={config}", verify, *told)
    return done.returncode == 0


def _unknown_names(config: str) -> set[str]:
    """Alerts that are named in the configuration and that no rule has."""
    named = re.findall(r'alertname =~? "([^"]+)"', config)
    return {name for names in named for name in names.split("|")} - {r["alert"] for r in alerts()}


def test_the_configuration_is_sound() -> None:
    assert _amtool("check-config", str(ALERTMANAGER)).returncode == 0
    assert _unknown_names(ALERTMANAGER.read_text()) == set()


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_goes_to_whom_its_severity_is_for(rule: dict[str, Any]) -> None:
    assert _is_routed(ALERTMANAGER, rule)


def test_planted_mistakes_are_caught(tmp_path: Path) -> None:
    config, sound = tmp_path / "alertmanager.yml", ALERTMANAGER.read_text()
    config.write_text(sound.replace('severity = "page"', 'severity = "pager"'))
    pages_only = [rule for rule in alerts() if rule["labels"]["severity"] == "page"]
    assert not any(_is_routed(config, rule) for rule in pages_only)
    config.write_text(sound.replace("receiver: pages", "receiver: pagers", 1))
    complaint = _amtool("check-config", str(config)).stdout
    assert 'undefined receiver "pagers"' in complaint
    assert _unknown_names(sound.replace("NoPredictions", "NoPrediction")) == {"NoPrediction"}


def test_no_secret_is_in_the_configuration() -> None:
    config = yaml.safe_load(ALERTMANAGER.read_text())
    for receiver in config["receivers"]:
        for message in receiver["slack_configs"]:
            assert message["api_url_file"].startswith("/run/secrets/")
            assert "api_url" not in message


def test_what_explains_is_told_and_what_follows_is_held_back(tmp_path: Path) -> None:
    def alert(name: str, severity: str, **labels: str) -> dict[str, Any]:
        told = {"summary": f"of {name}", "description": "d", "runbook_url": "r"}
        return {"labels": {"alertname": name, "severity": severity, **labels}, "annotations": told}

    burns = [alert("ErrorBudgetBurnSlow", "page", use_case=name) for name in ("fraud", "parcels")]
    late = alert("MaterializationLate", "ticket", use_case="fraud", view="customer_windows")
    with pages() as (host, received):
        held = Secrets.made(tmp_path / "secrets")
        held.add("alert_pages_url", f"http://{host}/pages")
        held.add("alert_tickets_url", f"http://{host}/tickets")
        with alertmanager(tmp_path, held, group_wait="1s", group_interval="1s") as server:
            assert server.status_without_password("/api/v2/status") == 401
            fast = alert("ErrorBudgetBurnFast", "page", use_case="fraud")
            refused = alert("ModelRefused", "ticket", use_case="parcels")
            server.get("/api/v2/alerts", body=[*burns, fast, late, refused])
            expected = {"ErrorBudgetBurnSlow", "ErrorBudgetBurnFast"}
            wait_until(lambda: len(received) >= 4)
            texts = {(path, message["attachments"][0]["text"]) for path, message in received}
            assert {path for path, text in texts if "of ErrorBudgetBurn" in text} == {"/pages"}
            assert {path for path, text in texts if "of ModelRefused" in text} == {"/tickets"}
            # The slow burn of fraud is explained by the fast one; that of parcels is not.
            assert _held_back(server) == {("ErrorBudgetBurnSlow", "fraud")}
            server.get("/api/v2/alerts", body=[alert("RedisDown", "page")])
            follows = {(name, "fraud") for name in (*expected, "MaterializationLate")}
            follows |= {("ErrorBudgetBurnSlow", "parcels")}
            wait_until(lambda: _held_back(server) == follows)


def _held_back(server: Any) -> set[tuple[str, str]]:
    found = server.get("/api/v2/alerts")
    held = [one["labels"] for one in found if one["status"]["inhibitedBy"]]
    return {(labels["alertname"], labels["use_case"]) for labels in held}
