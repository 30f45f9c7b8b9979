"""compose.yaml and the Dockerfiles, with the tools of their trades and planted mistakes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from compose_faults import faults, image_faults, variables
from composed import FOLDER, PROFILES, REQUIRED, ROOT, compose, config
from programs import program

IMAGES = sorted(FOLDER.glob("*.Dockerfile"))
SCRIPTS = [FOLDER / name for name in ("entrypoint", "make-secrets", "s3-buckets", "smoke")]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """compose/ in a folder of its own, to plant mistakes in."""
    ignored = shutil.ignore_patterns("secrets", "__pycache__", ".env")
    return Path(shutil.copytree(FOLDER, tmp_path / "compose", ignore=ignored))


def planted(folder: Path, right: str, wrong: str, name: str = "compose.yaml") -> Path:
    """A copy of a file with one mistake."""
    file = folder / name
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong, 1))
    return file


@pytest.mark.parametrize("profile", PROFILES)
def test_compose_takes_the_file(profile: str) -> None:
    done = compose("config", "--quiet", profile=profile)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("missing", REQUIRED)
@pytest.mark.parametrize("value", [None, ""])
def test_an_unset_variable_is_named(missing: str, value: str | None) -> None:
    given = {k: v for k, v in REQUIRED.items() if k != missing}
    done = compose(
        "config", "--quiet", variables=given if value is None else {**given, missing: ""}
    )
    assert done.returncode != 0
    assert missing in done.stderr
    assert "compose/.env" in done.stderr


def test_the_schema_of_compose_has_it() -> None:
    checked = run(
        program("check-jsonschema"),
        "--builtin-schema",
        "vendor.compose-spec",
        FOLDER / "compose.yaml",
    )
    assert checked.returncode == 0, checked.stdout


def test_the_schema_refuses_what_compose_does_not_know(copied: Path) -> None:
    file = planted(copied, "    ports: [", "    prots: [")
    checked = run(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", file)
    assert checked.returncode == 1
    assert "prots" in checked.stdout


def test_nothing_is_wrong_with_any_service() -> None:
    assert faults(config("all")) == []
    assert faults(config("jobs")) == []


MISTAKES = {
    "api: has no health check, and is not one-shot": (
        'test: ["CMD", "python", "-c", "from urllib.request import urlopen; '
        "urlopen('http://127.0.0.1:8000/live', timeout=4)\"]",
        "disable: true",
    ),
    "redis: image redis:latest has no pinned tag": ("redis:8.2.1-alpine3.22", "redis:latest"),
    "kafka: image apache/kafka has no pinned tag": ("apache/kafka:4.1.0", "apache/kafka"),
    "api: port 8000 is open to other machines": ("127.0.0.1:8000:8000", "8000:8000"),
    "redis: its root can be written": ("read_only: true", "read_only: false"),
    "redis: keeps capabilities": ("cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
    "redis: may get new privileges": ("no-new-privileges:true", "no-new-privileges:false"),
    "api: nothing reads SERVING_WORKRES": ("SERVING_WORKERS:", "SERVING_WORKRES:"),
    "api: nothing reads LOCKSTEP_LAKE_URI": ("LOCKSTEP_LAKE:", "LOCKSTEP_LAKE_URI:"),
    "mlflow: AWS_SECRET_ACCESS_KEY is a secret in the file": (
        "SECRET_AWS_SECRET_ACCESS_KEY: s3_mlflow_secret_key",
        "AWS_SECRET_ACCESS_KEY: Abc123",
    ),
    "exporter: the secret redis_reader_url, for REDIS_URL, is not mounted": (
        "secrets: [s3_lake_secret_key, mlflow_reader_password, redis_reader_url]",
        "secrets: [s3_lake_secret_key, mlflow_reader_password]",
    ),
    "prometheus: reads the secret metrics_api_key, which is not mounted": (
        "alertmanager_password, metrics_api_key]",
        "alertmanager_password]",
    ),
    "network data leads outside": ("data: {internal: true}", "data: {}"),
    "front: has no memory limit": (
        'http://127.0.0.1:8080/healthy"]\n    mem_limit: 128m',
        'http://127.0.0.1:8080/healthy"]',
    ),
}


@pytest.mark.parametrize("fault", MISTAKES)
def test_a_mistake_in_the_file_is_named(fault: str, copied: Path) -> None:
    file = planted(copied, *MISTAKES[fault])
    assert fault in faults(config("all", file), copied)


def test_a_mounted_file_that_is_not_there_is_named(copied: Path) -> None:
    (copied / "front" / "nginx.conf").unlink()
    (fault,) = faults(config("all", copied / "compose.yaml"), copied)
    assert fault == f"front: {copied}/front/nginx.conf is not there"


def test_variables_are_those_of_the_settings_with_their_aliases() -> None:
    assert {"LOCKSTEP_LAKE", "REDIS_URL", "SERVING_KEYS_FILE", "LOCKSTEP_HOME"} <= variables()
    assert not {"LOCKSTEP_LAKE_URI", "LOCKSTEP_REDIS_URL"} & variables()


@pytest.mark.parametrize("file", IMAGES, ids=lambda file: file.stem)
def test_dockerfiles_are_clean(file: Path) -> None:
    checked = run(program("hadolint"), file)
    assert (checked.returncode, checked.stdout) == (0, "")
    assert image_faults(file.read_text()) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("FROM python:3.11.13-slim-bookworm AS", "FROM python AS", "base python has no pinned tag"),
        ("USER 10001:10001", "USER root", "it does not end as user 10001"),
        ("HEALTHCHECK", "# HEALTHCHECK", "it has no health check"),
        ("uv sync --frozen", "uv sync", "it does not install what uv.lock has"),
    ],
)
def test_a_mistake_in_a_dockerfile_is_found(right: str, wrong: str, fault: str) -> None:
    text = (FOLDER / "api.Dockerfile").read_text()
    assert right in text
    assert image_faults(text.replace(right, wrong)) == [fault]


def test_hadolint_finds_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "api.Dockerfile"
    text = (FOLDER / "api.Dockerfile").read_text()
    file.write_text(text.replace("FROM python:3.11.13-slim-bookworm AS", "FROM python:latest AS"))
    checked = run(program("hadolint"), file)
    assert checked.returncode == 1
    assert "DL3007" in checked.stdout


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_scripts_are_clean(file: Path, tmp_path: Path) -> None:
    assert run(program("shellcheck"), file).stdout == ""
    wrong = tmp_path / file.name
    wrong.write_text(file.read_text() + "rm -rf $HOME/$1\n")
    assert "SC2086" in run(program("shellcheck"), wrong).stdout


def test_yaml_is_clean(copied: Path) -> None:
    rules = "{extends: relaxed, rules: {line-length: disable}}"
    lint = (program("yamllint"), "--strict", "-d", rules)
    assert run(*lint, FOLDER / "compose.yaml").stdout == ""
    twice = planted(copied, "  redis:\n", "  redis: {}\n  redis:\n")
    assert "duplication of key" in run(*lint, twice).stdout


def test_every_variable_of_the_file_is_explained() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", (FOLDER / "compose.yaml").read_text()))
    example = (FOLDER / ".env.example").read_text()
    assert used == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


def test_what_images_copy_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for file in IMAGES:
        for line in file.read_text().splitlines():
            if line.startswith("COPY ") and "--from" not in line:
                for source in line.split()[1:-1]:
                    assert (ROOT / source).exists(), (file.name, source)
                    let_in = [f"!{part}" for part in (source, *map(str, Path(source).parents))]
                    assert any(entry in ignored for entry in let_in), (file.name, source)
