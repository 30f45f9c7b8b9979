"""docs/schedules.md says what the DAGs have, and its commands are ones."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from airflow_process import DAGS, ROOT, Airflow
from programs import BIN

RECORDED = Path("tests/ops/airflow/recorded")

PAGE = (ROOT / "docs" / "schedules.md").read_text()


def blocks(kind: str) -> list[str]:
    """The commands of the page's blocks of a kind, without prompts."""
    found = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return [line.removeprefix("$ ") for block in found for line in block.splitlines()]


def test_every_setting_is_on_the_page_and_no_other() -> None:
    sources = [path.read_text() for path in DAGS.rglob("*.py")]
    read = set(re.findall(r'"(LOCKSTEP_[A-Z_]+[A-Z])"', "\n".join(sources)))
    # Those are the commands' own; see its introduction.
    assert read == set(re.findall(r"LOCKSTEP_[A-Z_]+[A-Z]", PAGE)) - {"LOCKSTEP_LAKE"}


def test_every_dag_and_pool_is_on_the_page_with_its_tasks(airflow: Airflow) -> None:
    for dag_id, dag in airflow.ask("structure")["dags"].items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{dag_id}` |")]
        named = set(re.findall(r"`([a-z ]+)`", row)) - {dag_id}
        assert named == {name.partition(".")[2].replace("_", " ") for name in dag["tasks"]}
    for name, pool in json.loads((ROOT / "airflow" / "pools.json").read_text()).items():
        assert f"| `{name}` | {pool['slots']} |" in PAGE


def test_airflow_knows_the_commands_for_it(airflow: Airflow) -> None:
    commands = [shlex.split(line) for line in blocks("sh")]
    assert {command[0] for command in commands} == {"airflow"}
    for command in commands:
        assert airflow.ask("command_line", arguments=command[1:]), airflow.log


def test_a_command_that_airflow_does_not_have_is_found(airflow: Airflow) -> None:
    assert not airflow.ask("command_line", arguments=["pools", "swim", "airflow/pools.json"])
    assert "swim" in airflow.log


def test_recording_anew_records_what_is_recorded(tmp_path: Path) -> None:
    """The command as it stands there, in a copy of the project without the records."""
    made, command = blocks("console")
    assert made == "airflow/make-environment"
    assert command.startswith("RECORD=1 ")
    for name in (".airflow-venv", ".uv", "pyproject.toml", "lockstep", "feature_repo"):
        (tmp_path / name).symlink_to(ROOT / name)
    ignored = shutil.ignore_patterns("recorded", "__pycache__")
    for name in ("airflow", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, check=True)
    again, before = tmp_path / RECORDED, ROOT / RECORDED
    assert {p.name for p in again.iterdir()} == {p.name for p in before.iterdir()}
    for path in again.iterdir():
        assert (
            path.read_text().replace(str(tmp_path), str(ROOT)) == (before / path.name).read_text()
        )
