"""What the API's image is made of, made here by the commands of its Dockerfile."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from composed import FOLDER, ROOT

DOCKERFILE = FOLDER / "api.Dockerfile"
# An environment is made, and Feast and MLflow are imported as if for the first time.
pytestmark = pytest.mark.timeout(1800)
IGNORED = shutil.ignore_patterns("__pycache__", "*.so", ".lockstep", "*.egg-info")


def build_steps(file: Path) -> Iterator[list[str]]:
    """COPY and RUN of the build stage, each as words; apt's are the machine's own business."""
    text = file.read_text().split("\nFROM ")[1].replace("\\\n", " ")
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] in (["COPY"], ["RUN"]) and "apt-get" not in words:
            yield words


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    """/app as the build stage leaves it."""
    with TemporaryDirectory(prefix="lockstep-image-") as name:
        folder = Path(name)
        for kind, *words in build_steps(DOCKERFILE):
            if kind == "COPY":
                _copy(words[:-1], folder)
            else:
                _run(words, folder)
        yield folder


def _copy(sources: list[str], folder: Path) -> None:
    for source in map(ROOT.joinpath, sources):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, ignore=IGNORED)
        else:
            shutil.copy(source, folder)


def _run(words: list[str], folder: Path) -> None:
    uv = str(ROOT / ".uv" / "bin" / "uv")
    command = [word.replace("/opt/uv/bin/uv", uv) for word in words]
    # What leads to the packages stays; this environment is not the image's.
    left = ("PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    environment = {k: v for k, v in os.environ.items() if k not in left}
    more = {"UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": sys.executable}
    done = subprocess.run(
        command, cwd=folder, env=environment | more, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / ".venv" / "bin" / "python", "-W", "ignore", "-c", code],
        env={"LOCKSTEP_PROJECT_DIR": str(folder), "LOCKSTEP_HOME": str(folder / "home")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_steps_are_those_of_the_file() -> None:
    steps = [" ".join(words[:3]) for words in build_steps(DOCKERFILE)]
    assert "RUN /opt/uv/bin/uv sync" in steps
    assert "RUN .venv/bin/python -c" in steps


def test_it_compiles_the_definitions_and_can_serve(built: Path) -> None:
    made = python(built, "import sys; from serving.plan_compiler import main; sys.exit(main())")
    assert made.returncode == 0, made.stderr
    assert (built / "home" / "serving_plan.json").stat().st_size > 1000
    modules = "serving.server, serving.worker, serving.model_fetcher, mlflow.artifacts, catboost"
    imported = python(built, f"import {modules}; print('fine')")
    assert imported.stdout == "fine\n", imported.stderr


@pytest.mark.parametrize("package", ["pyspark", "py4j", "hyperopt", "mypy", "pytest", "moto"])
def test_it_has_nothing_of_batches_and_tests(built: Path, package: str) -> None:
    missing = python(built, f"import {package}")
    assert f"No module named '{package}'" in missing.stderr
