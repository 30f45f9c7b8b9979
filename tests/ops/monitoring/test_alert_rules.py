"""The rules by promtool, each alert's tests and runbook, and mistakes that are caught."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from monitoring_files import PROMETHEUS, ROOT, alerts, documented_metrics, queries, rules

_TESTS = sorted(path.name for path in (PROMETHEUS / "tests").glob("*.yml"))
# What a query has beside metrics and labels: operators by word.
_WORDS = {"and", "or", "unless", "on", "by", "group_left", "offset", "bool"}
_GROUPED = re.compile(r"\b(?:by|on|group_left) \(([^)]*)\)")
_MATCHED = re.compile(r'([a-z_]+) ?(?:=~|!~|!=|=)"')
_RECORDED = {rule["record"] for rule in rules() if "record" in rule}
_SECTIONS = ("Means", "Users see", "Look at", "Do", "Over")


def _promtool(*arguments: str | Path) -> str:
    """What promtool complains of; nothing where it does not."""
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr or "it failed"


def _without_runbook(runbooks: str, rule: dict[str, dict[str, str]]) -> list[str]:
    """What is missing of an alert's annotations and of its section."""
    annotations = rule["annotations"]
    missing = [name for name in ("summary", "description") if not annotations.get(name)]
    page, _, anchor = annotations.get("runbook_url", "").partition("#")
    sections = {title.lower(): text for title, text in _sections(runbooks)}
    if page != "docs/runbooks.md" or anchor not in sections:
        return [*missing, "runbook_url"]
    return [*missing, *(part for part in _SECTIONS if f"**{part}" not in sections[anchor])]


def _sections(runbooks: str) -> list[tuple[str, str]]:
    first, *parts = re.split(r"^## ", runbooks, flags=re.MULTILINE)
    return [(part.split("\n", 1)[0], part) for part in parts]


def _unknown(expr: str, metrics: dict[str, set[str]]) -> set[str]:
    """Metrics and labels in a query that nothing shows and no rule records."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    labels = set(_MATCHED.findall(expr))
    for found in _GROUPED.findall(bare):
        labels |= {label.strip() for label in found.split(",") if label.strip()}
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|offset \w+", "", _GROUPED.sub("()", bare))
    names = set(re.findall(r"(?<![\w:.$])[a-zA-Z_][\w:]*\b(?! ?\()", bare)) - _WORDS
    names = {re.sub("_(bucket|sum|count)$", "", n) if n not in metrics else n for n in names}
    known_labels = set().union(*metrics.values()) | {"le", "deployment", "path", "replicaset"}
    return (names - set(metrics) - _RECORDED) | (labels - known_labels)


@pytest.fixture(scope="module")
def runbooks() -> str:
    """docs/runbooks.md."""
    return (ROOT / "docs" / "runbooks.md").read_text()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the folder of Prometheus, to plant mistakes in."""
    return Path(shutil.copytree(PROMETHEUS, tmp_path / "prometheus"))


def _plant(path: Path, sound: str, mistake: str) -> None:
    text = path.read_text()
    assert sound in text
    path.write_text(text.replace(sound, mistake, 1))


def test_rules_and_configuration_are_sound() -> None:
    assert _promtool("check", "rules", *(PROMETHEUS / "rules").glob("*.yml")) == ""
    # Secrets are mounted where it runs: only the syntax is checked here.
    config = PROMETHEUS / "prometheus.yml"
    assert _promtool("check", "config", "--syntax-only", config) == ""


@pytest.mark.parametrize("name", _TESTS)
def test_alerts_fire_and_are_silent_as_written(name: str) -> None:
    assert _promtool("test", "rules", PROMETHEUS / "tests" / name) == ""


def test_each_alert_has_a_test_that_fires_and_one_that_does_not() -> None:
    fired: dict[bool, set[str]] = {True: set(), False: set()}
    for name in _TESTS:
        for test in yaml.safe_load((PROMETHEUS / "tests" / name).read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                fired[bool(case["exp_alerts"])].add(case["alertname"])
    assert fired[True] == fired[False] == {rule["alert"] for rule in alerts()}


def test_no_rule_names_a_use_case() -> None:
    assert not [rule for rule in rules() if re.search("fraud|market|clicks|property", rule["expr"])]


def test_each_alert_has_its_runbook(runbooks: str) -> None:
    assert {r["alert"]: found for r in alerts() if (found := _without_runbook(runbooks, r))} == {}
    told = {rule["alert"] for rule in alerts()} | {"ScheduleLate"}  # by Airflow itself
    assert {title for title, _ in _sections(runbooks)} == told


def test_an_alert_without_a_runbook_is_caught(runbooks: str) -> None:
    rule = alerts()[0]
    assert _without_runbook(runbooks.replace(f"## {rule['alert']}", "## Another"), rule) == [
        "runbook_url"
    ]
    bare = {**rule, "annotations": {"summary": "x", "description": "y"}}
    assert _without_runbook(runbooks, bare) == ["runbook_url"]
    assert _without_runbook(runbooks.replace("**Over**", "**Later**"), rule) == ["Over"]


def test_links_between_runbooks_lead_somewhere(runbooks: str) -> None:
    linked = set(re.findall(r"\]\(#([a-z]+)\)", runbooks))
    assert linked <= {title.lower() for title, _ in _sections(runbooks)}


def test_a_planted_typo_is_caught(copied: Path) -> None:
    file = copied / "rules" / "service.yml"
    _plant(file, "histogram_quantile(", "histogram_quantil(")
    assert 'unknown function with name "histogram_quantil"' in _promtool("check", "rules", file)


@pytest.mark.parametrize(
    ("name", "sound", "mistake", "alert"),
    [
        ("service", '"use_case", "$1", "handler"', '"use_case", "$1", "path"', "NoPredictions"),
        ("service", 'status="5xx"', 'status="5.."', "ErrorBudgetBurnFast"),
        ("service", "> 14.4 * 0.001", "> 14.4 * 0.1", "ErrorBudgetBurnFast"),
        ("features", "> on (use_case, view)", "> on (use_case, table)", "FeatureAgeAboveDeclared"),
        ("features", "(lockstep_schedule_interval_seconds)", "(lockstep_schedule)", "Late"),
        ("models", "> on (use_case, decision)", "> on (decision)", "DecisionShareAboveLimit"),
        ("infrastructure", '"owner_name", "(.*)"', '"owner", "(.*)"', "AutoscalerAtMaximum"),
        ("infrastructure", 'part="online_store"', 'part="redis"', "RedisDown"),
    ],
)
def test_a_planted_label_or_limit_is_caught(
    copied: Path, name: str, sound: str, mistake: str, alert: str
) -> None:
    for _ in range((copied / "rules" / f"{name}.yml").read_text().count(sound)):
        _plant(copied / "rules" / f"{name}.yml", sound, mistake)
    complaint = _promtool("test", "rules", copied / "tests" / f"{name}.yml")
    assert re.search(f"(alertname: .*{alert}|many-to-many|multiple matches)", complaint), complaint


def test_what_is_asked_for_is_in_the_tables_of_metrics(monitoring_page: str) -> None:
    metrics = documented_metrics(monitoring_page)
    asked = [rule["expr"] for rule in rules()] + [query.expr for query in queries()]
    assert {expr: found for expr in asked if (found := _unknown(expr, metrics))} == {}
    # Nothing is documented that nobody looks at, but for what a dashboard's choice asks.
    text = "\n".join(asked) + "lockstep_models_refused"
    assert {name for name in metrics if name not in text} == set()


@pytest.mark.parametrize(
    ("expr", "unknown"),
    [
        (
            'sum by (use_case) (rate(lockstep_decision_total{alias="x"}[5m]))',
            "lockstep_decision_total",
        ),
        ("max by (use_case, veiw) (lockstep_view_max_age_seconds)", "veiw"),
        ('use_case:predictions:rate5m{usecase=~"$use_case"} > 0', "usecase"),
        ("use_case:predictions:rate2m / 0.5", "use_case:predictions:rate2m"),
    ],
)
def test_a_planted_metric_or_label_is_unknown(
    monitoring_page: str, expr: str, unknown: str
) -> None:
    assert _unknown(expr, documented_metrics(monitoring_page)) == {unknown}
