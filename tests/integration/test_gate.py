"""`lockstep gate`, and `k8s/deploy` that asks it before anything is applied."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from feast_project import make_project
from found_causes import audited
from typer.testing import CliRunner, Result

from feature_repo.definitions.fraud import fraud_v1
from lockstep.cli.main import app
from lockstep.lake.lake import Lake
from lockstep.parity.audit_result import write_audit
from lockstep.parity.errors import AuditError
from lockstep.settings import Settings
from lockstep.use_cases import UseCaseError

ROOT = Path(__file__).parents[2]
BAD = "fraud: refused: 1 vectors differ without a cause (audited 2018-05-12 00:00 UTC)"
# Notes what it is asked, and runs in a pod what is to be run there: here.
KUBECTL = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
if [[ $1 == kustomize ]]; then exit 0; fi
case "$*" in
  *"get deployment exporter"*) echo "$EXPORTER" ;;
  *" exec "*) "$LOCKSTEP" gate ;;
esac
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    found = make_project(tmp_path)
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(found.project_dir))
    return found


def gate(*use_cases: str) -> Result:
    return CliRunner().invoke(app, ["gate", *use_cases])


def test_no_audit_forbids_nothing(settings: Settings) -> None:
    done = gate()
    assert done.exit_code == 0, done.output
    names = ("clicks", "fraud", "market", "property")
    assert done.output.splitlines() == [f"{name}: no audit" for name in names]


@pytest.mark.parametrize(
    ("causes", "told"),
    [
        ({"MATCH": 90, "NOT_YET_MATERIALISED": 10}, "fraud: passed"),
        ({"MATCH": 99, "UNEXPLAINED": 1}, BAD),
        ({"MATCH": 99, "NULL_POLICY": 1}, "fraud: refused: 1 vectors have a fault"),
        ({"DEFINITION_VERSION": 9}, "fraud: refused: nothing was compared"),
    ],
)
def test_the_last_audit_decides(settings: Settings, causes: dict[str, int], told: str) -> None:
    write_audit(Lake.at(settings.lake), audited(**causes))
    done = gate("fraud")
    assert done.output.startswith(told)
    assert done.exit_code == int("refused" in told)


def test_what_a_service_declares_to_be_stale_enough_counts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the definitions have it: whoever looks need not reach the registry."""
    write_audit(Lake.at(settings.lake), audited(MATCH=90, NOT_YET_MATERIALISED=10))
    for share, code in (("0.05", 1), ("0.2", 0)):
        monkeypatch.setattr(fraud_v1, "tags", {"max_stale_share": share})
        assert gate("fraud").exit_code == code


def test_a_use_case_that_is_not_there_is_an_error(settings: Settings) -> None:
    assert isinstance(gate("frod").exception, UseCaseError)


def test_a_damaged_audit_is_never_a_passed_one(settings: Settings) -> None:
    lake = Lake.at(settings.lake)
    lake.write_bytes(write_audit(lake, audited(MATCH=1)), b"{")
    assert isinstance(gate().exception, AuditError)


class Deployment:
    """`k8s/deploy` with a cluster that notes what it is asked."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._calls = folder / "calls"
        program = folder / "bin" / "kubectl"
        program.parent.mkdir()
        program.write_text(KUBECTL)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self._environment = os.environ | {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "CALLS": str(self._calls),
            "LOCKSTEP": str(Path(sys.executable).with_name("lockstep")),
        }

    def run(self, *words: str, exporter: str = "deployment/exporter") -> tuple[int, str, bool]:
        """Its exit code, what it said, and whether anything was applied."""
        self._calls.unlink(missing_ok=True)
        done = subprocess.run(
            [str(ROOT / "k8s" / "deploy"), "production", *words],
            env=self._environment | {"EXPORTER": exporter},
            capture_output=True,
            text=True,
            check=False,
        )
        calls = self._calls.read_text().splitlines()
        changed = any(call.startswith("apply ") or " delete " in call for call in calls)
        return done.returncode, done.stdout + done.stderr, changed


def test_a_deployment_asks_before_it_changes_anything(settings: Settings, tmp_path: Path) -> None:
    lake, deployment = Lake.at(settings.lake), Deployment(settings, tmp_path)
    bad = write_audit(lake, audited(MATCH=99, UNEXPLAINED=1))
    code, told, changed = deployment.run()
    assert (code, changed) == (3, False)
    assert BAD in told
    assert "k8s/deploy production --force" in told
    code, told, changed = deployment.run("--force")
    assert (code, changed) == (0, True)
    assert "by force" in told
    lake.delete([bad])
    write_audit(lake, audited(MATCH=100))
    assert deployment.run()[::2] == (0, True)


def test_the_first_deployment_has_nobody_to_ask(settings: Settings, tmp_path: Path) -> None:
    write_audit(Lake.at(settings.lake), audited(MATCH=99, UNEXPLAINED=1))
    assert Deployment(settings, tmp_path).run(exporter="")[::2] == (0, True)
