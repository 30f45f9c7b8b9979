"""The page for newcomers: its commands, in order, as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from free_port import free_port
from test_readme import ROOT, project, run

from lockstep.stores.embedded_redis import embedded_redis

pytestmark = pytest.mark.timeout(600)
PAGE = (ROOT / "docs" / "getting_started.md").read_text()


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def test_a_newcomer_comes_to_the_end(tmp_path: Path) -> None:
    port = free_port()
    wait = "kill -0 $!; (( SECONDS < 400 )); sleep 0.2"
    ready = f"until curl -sf localhost:{port}/ready >ready.txt; do {wait}; done"
    lines = []
    for command in commands():
        if command.startswith(("export PATH", "lockstep redis")):
            continue  # the test has an environment and a Redis of its own
        if command == "lockstep serve":
            lines += [f"{command} --port {port} >serve.log 2>&1 &", "trap 'kill $!' EXIT", ready]
        elif command.startswith("curl "):
            lines.append(command.replace("localhost:8000", f"localhost:{port}") + " >answer.json")
        else:
            lines.append(command)
    with embedded_redis(data_dir=tmp_path / "redis") as url:
        told = run("\n".join(lines), tmp_path, project(tmp_path, url))
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["decision"] in {"allow", "block"}
    statuses = {feature["status"] for feature in answer["features"].values()}
    assert "PRESENT" in statuses
    assert statuses <= {"PRESENT", "NULL"}
    assert "materialisations are on record" in told
    assert "2018-07-01 01:00:00" in told
