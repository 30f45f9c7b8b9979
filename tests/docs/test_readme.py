"""What the README tells a newcomer to type works as written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from free_port import free_port
from programs import BIN

from benchmarks.table import BEGIN, END, table
from lockstep.stores.embedded_redis import embedded_redis

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

pytestmark = pytest.mark.timeout(600)


def console_blocks() -> list[list[str]]:
    """The commands of each console block, continuation lines joined."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    joined = [block.replace("\\\n", " ") for block in blocks]
    return [[line[2:] for line in b.splitlines() if line.startswith("$ ")] for b in joined]


COMMANDS = [command for block in console_blocks() for command in block]


def project(folder: Path, redis_url: str) -> dict[str, str]:
    """An empty project in `folder` and the environment of someone who works in it."""
    shutil.copytree(
        ROOT / "feature_repo",
        folder / "feature_repo",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    own = {k: v for k, v in os.environ.items() if not k.startswith(("LOCKSTEP_", "MLFLOW_"))}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return own | {"PATH": path, "REDIS_URL": redis_url, "COLUMNS": "100"}


def run(script: str, folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("target", sorted({c.split()[1] for c in COMMANDS if c[:5] == "make "}))
def test_every_make_target_exists(target: str) -> None:
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_the_demo_ends_with_the_proof(tmp_path: Path) -> None:
    env = project(tmp_path, "")
    env.pop("REDIS_URL")
    size = "--customers 80 --terminals 120 --days 60 --requests 60"
    output = run(f"lockstep demo {size}", tmp_path, env)
    assert re.search(r"features compared: 1,500, mismatches: 0", output)
    told = r"[\d,]+ predictions(, [\d,]+ \w+)+; [\d,]+ rows had moved on since their cut and were"
    assert re.search(told, output)
    # The page shows a run of the whole demo: other numbers in the same words.
    assert re.search(told, README)
    assert output.count("WARNING") == 0
    assert "make serve" in output


def test_the_demo_leaves_other_peoples_data_alone(tmp_path: Path) -> None:
    env = project(tmp_path, "")
    (tmp_path / ".lockstep").mkdir()
    (tmp_path / ".lockstep" / "mine").touch()
    done = subprocess.run(
        [BIN / "lockstep", "demo"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "holds data that the demo did not make; move it away" in done.stderr
    assert (tmp_path / ".lockstep" / "mine").is_file()


def test_a_demo_that_is_mistyped_clears_nothing_away(tmp_path: Path) -> None:
    home = tmp_path / ".lockstep"
    home.mkdir()
    for name in ("made-by-the-demo", "mlflow.db"):
        (home / name).touch()
    done = subprocess.run(
        [BIN / "lockstep", "demo", "--customer", "10"],
        cwd=tmp_path,
        env=project(tmp_path, ""),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "there is no option --customer here; known are --customers, " in done.stderr
    assert (home / "mlflow.db").is_file()


def test_the_commands_for_ones_own_data_work_as_written(tmp_path: Path) -> None:
    (block,) = [b for b in console_blocks() if b[0].startswith("lockstep ingest")]
    (request,) = [c for c in COMMANDS if c.startswith("curl ")]
    assert block[-1] == "lockstep serve"
    port = free_port()
    generate = (
        "lockstep generate fraud --customers 80 --terminals 120 --days 121 --out raw.parquet\n"
        'python -c "import polars as pl; '
        "pl.read_parquet('raw.parquet').write_csv('transactions.csv')\"\n"
    )
    wait = "kill -0 $!; (( SECONDS < 150 )); sleep 0.2"
    ready = f"until curl -sf localhost:{port}/ready >ready.txt; do {wait}; done"
    script = "\n".join(
        [
            generate,
            *block[:-1],
            f"{block[-1]} --port {port} >serve.log 2>&1 &",
            "trap 'kill $!' EXIT",
            ready,
            request.replace("localhost:8000", f"localhost:{port}") + " >answer.json",
        ]
    )
    with embedded_redis() as url:
        run(script, tmp_path, project(tmp_path, url))
    answer = json.loads((tmp_path / "feature_repo" / "answer.json").read_text())
    assert answer["decision"] in {"allow", "block"}
    assert len(answer["features"]) == 25


@pytest.mark.parametrize("readme", ["README.md", "benchmarks/README.md"])
def test_the_measured_table_is_that_of_the_results(readme: str) -> None:
    rows = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    assert f"{BEGIN}\n{table(rows)}\n{END}" in (ROOT / readme).read_text()


@pytest.mark.parametrize(("name", "line"), [("demo", "mismatches: 0"), ("test", " passed in ")])
def test_the_readme_shows_what_its_commands_print(name: str, line: str) -> None:
    (shown,) = re.findall(f"<!-- {name}: begin -->(.*?)<!-- {name}: end -->", README, re.DOTALL)
    assert line in shown
