"""The plan of a server: kept in a file, compiled again where that does not fit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions import fraud
from lockstep.settings import Settings
from serving.plan import ServingPlan, plan_of, sources_hash
from serving.plan_compiler import service_plan, serving_plan
from serving.settings import ServingSettings

STORED_BYTES = ServingPlan(
    "h", {"fraud": {"fraud_v2": service_plan("cards", fraud.fraud_v2, fraud)}}
)


def _settings(folder: Path, project: str = "cards") -> ServingSettings:
    (folder / "feature_repo").mkdir(parents=True, exist_ok=True)
    text = f"project: {project}\nonline_store: {{type: x}}\n"
    (folder / "feature_repo" / "feature_store.yaml").write_text(text)
    return ServingSettings(project=Settings(project_dir=folder, home=None))


def test_the_plan_of_all_services_reads_back_equal(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    plan = serving_plan(settings)
    assert set(plan.use_cases["fraud"]) == {"fraud_v1", "fraud_v2"}
    assert ServingPlan.read(settings.plan_path) is None
    plan.write(settings.plan_path)
    assert ServingPlan.read(settings.plan_path) == plan
    assert [path.name for path in settings.plan_path.parent.iterdir()] == ["serving_plan.json"]


def test_a_plan_that_was_used_reads_back_equal_too(tmp_path: Path) -> None:
    plan = STORED_BYTES
    for service in plan.use_cases["fraud"].values():
        assert service.computed
        assert service.reads.views
        assert service.reads.keys[0].command({"customer_id": 1, "terminal_id": 1})
    plan.write(tmp_path / "plan.json")
    assert ServingPlan.read(tmp_path / "plan.json") == plan


@given(st.data())
def test_a_damaged_file_never_stops_a_server(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    STORED_BYTES.write(path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(content[:place])
        assert ServingPlan.read(path) is None
        return
    content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    found = ServingPlan.read(path)
    assert found is None or isinstance(found, ServingPlan)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b'"\xff"', b"null"])
def test_what_is_no_plan_reads_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    assert ServingPlan.read(tmp_path / "plan.json") is None


@pytest.mark.parametrize("field", ["fingerprint", "policy", "log_columns", "reads"])
def test_a_file_of_an_older_version_reads_as_none(tmp_path: Path, field: str) -> None:
    content = msgspec.json.decode(msgspec.json.encode(STORED_BYTES))
    del content["use_cases"]["fraud"]["fraud_v2"][field]
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(content))
    assert ServingPlan.read(tmp_path / "plan.json") is None


def test_the_sources_hash_is_of_the_project_and_of_the_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = _settings(tmp_path / "a"), _settings(tmp_path / "b", "others")
    assert sources_hash(ours) == sources_hash(_settings(tmp_path / "c"))
    assert sources_hash(ours) != sources_hash(theirs)
    installed = tmp_path / "installed"
    (installed / "windows").mkdir(parents=True)
    for name in ("__init__.py", "windows/fraud.py"):
        (installed / name).write_text("")
    monkeypatch.setattr("feature_repo.__file__", str(installed / "__init__.py"))
    hashes = [sources_hash(ours)]
    (installed / "windows" / "fraud.py").write_text("WINDOW = 1\n")
    hashes.append(sources_hash(ours))
    (installed / "windows" / "fraud.py").rename(installed / "windows" / "cards.py")
    hashes.append(sources_hash(ours))
    (installed / "notes.txt").write_text("not code")
    assert len(set(hashes)) == 3
    assert sources_hash(ours) == hashes[-1]


def test_a_server_compiles_what_it_lacks_and_keeps_what_fits(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    plan = plan_of(settings)
    assert plan.made_of == sources_hash(settings)
    assert plan == serving_plan(settings)
    kept = replace(plan, use_cases={})
    kept.write(settings.plan_path)
    assert plan_of(settings) == kept
    replace(kept, made_of="older").write(settings.plan_path)
    assert plan_of(settings) == plan


def test_a_worker_imports_no_feast_no_mlflow_and_no_spark() -> None:
    heavy = "{name.partition('.')[0] for name in sys.modules} & {'feast', 'mlflow', 'pyspark'}"
    script = f"import serving.worker, sys; print(sorted({heavy}))"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_a_use_case_without_definitions_is_not_served(tmp_path: Path) -> None:
    installed = Path(__file__).parents[3] / "feature_repo"
    ignored = shutil.ignore_patterns("clicks.py", "__pycache__")
    shutil.copytree(installed, tmp_path / "feature_repo", ignore=ignored)
    script = "from serving.use_cases import USE_CASES; print(*USE_CASES)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "fraud" in ended.stdout.split()
    assert "clicks" not in ended.stdout.split()
