"""What `feast init` makes runs its own workflow on our stores: only their types are changed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
import yaml
from programs import BIN
from redis import Redis

pytestmark = pytest.mark.timeout(600)

OURS = {
    "offline_store": {"type": "lockstep.stores.offline.LockstepOfflineStore"},
    "online_store": {"type": "lockstep.stores.online.LockstepOnlineStore"},
    "batch_engine": {"type": "lockstep.stores.engine.LockstepComputeEngine"},
}
# The workflow as it is, but what it prints is kept as it was before it became text.
RUN = """
import pickle, runpy, sys
shown = []
keep = {"print": lambda *shown_at_once: shown.append(shown_at_once)}
runpy.run_path("test_workflow.py", init_globals=keep, run_name="__main__")
with open(sys.argv[1], "wb") as file:
    pickle.dump(shown, file)
"""
Shown = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Workflow:
    """A repository whose own workflow has run, and what it showed, by heading."""

    folder: Path
    shown: Shown

    def frame(self, heading: str) -> pd.DataFrame:
        """The historical features under a heading, without the time that is now."""
        ((frame,),) = self.shown[heading]
        rows: pd.DataFrame = frame.drop(columns="event_timestamp")
        return rows.sort_values("driver_id", ignore_index=True)

    def online(self, heading: str) -> dict[str, list[Any]]:
        """Feature to values under a heading, the keys of the request among them."""
        return {name: values for name, _, values in self.shown[heading]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as `feast init` leaves it."""
    folder = tmp_path_factory.mktemp("init")
    subprocess.run([BIN / "feast", "init", "drop_in"], cwd=folder, check=True, capture_output=True)
    return folder / "drop_in" / "feature_repo"


@pytest.fixture(scope="module")
def feasts(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The workflow on the stores that the repository comes with."""
    return workflow(shutil.copytree(made, tmp_path_factory.mktemp("feasts") / "feature_repo"))


@pytest.fixture(scope="module")
def ours(made: Path, tmp_path_factory: pytest.TempPathFactory, redis_server: str) -> Workflow:
    """The workflow after the store types were changed."""
    repository = shutil.copytree(made, tmp_path_factory.mktemp("ours") / "feature_repo")
    configuration = repository / "feature_store.yaml"
    changed = yaml.safe_load(configuration.read_text()) | OURS
    configuration.write_text(yaml.safe_dump(changed))
    with Redis.from_url(redis_server) as client:
        client.flushall()
        client.config_resetstat()
    return workflow(repository, REDIS_URL=redis_server)


def workflow(repository: Path, **environment: str) -> Workflow:
    """Runs `test_workflow.py` of a repository."""
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("LOCKSTEP_", "REDIS_"))}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    shown = repository.parent / "shown.pickle"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, str(shown)],
        cwd=repository,
        env=inherited | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return Workflow(repository, by_heading(pickle.loads(shown.read_bytes())))


def by_heading(shown: list[tuple[Any, ...]]) -> Shown:
    sections: Shown = {}
    for line in shown:
        if isinstance(line[0], str) and line[0].startswith("\n---"):
            sections[line[0].strip("\n- ")] = []
        else:
            sections[list(sections)[-1]].append(line)
    return sections


def test_both_get_to_the_end(feasts: Workflow, ours: Workflow) -> None:
    assert list(ours.shown) == list(feasts.shown)
    assert list(ours.shown)[-1] == "Run feast teardown"


@pytest.mark.parametrize("purpose", ["training", "batch scoring"])
def test_historical_features_are_the_same(feasts: Workflow, ours: Workflow, purpose: str) -> None:
    heading = f"Historical features for {purpose}"
    got, expected = ours.frame(heading), feasts.frame(heading)
    assert not expected.isna().any(axis=None)
    # Feast asks for an on-demand view's inputs in the order of a set.
    pd.testing.assert_frame_equal(got, expected, check_exact=True, check_like=True)


def test_online_features_are_the_same(feasts: Workflow, ours: Workflow) -> None:
    headings = [heading for heading in ours.shown if heading.startswith("Online features")]
    assert len(headings) == 4
    for heading in headings:
        assert ours.online(heading) == feasts.online(heading)
    assert ours.online(headings[-1])["conv_rate"][0] == 1.0


def test_every_online_value_is_that_of_the_file(made: Path, ours: Workflow) -> None:
    newest = (
        pl.read_parquet(made / "data" / "driver_stats.parquet")
        .filter(pl.col("driver_id").is_in([1001, 1002]))
        .sort("event_timestamp")
        .group_by("driver_id")
        .last()
        .sort("driver_id")
    )
    read = ours.online("Online features")
    for feature in ("acc_rate", "driver_metadata", "driver_profile"):
        assert read[feature] == newest[feature].to_list()
    assert read["driver_config"] == [json.loads(text) for text in newest["driver_config"]]


def test_what_was_pushed_is_offline_too(made: Path, ours: Workflow) -> None:
    before = pl.read_parquet(made / "data" / "driver_stats.parquet")
    after = pl.read_parquet(ours.folder / "data" / "driver_stats.parquet")
    assert len(after) == len(before) + 1
    assert after.filter(pl.col("conv_rate") == 1.0)["avg_daily_trips"].to_list() == [1000]


def test_redis_served_and_teardown_leaves_nothing(ours: Workflow, redis_server: str) -> None:
    with Redis.from_url(redis_server) as client:
        assert client.info("commandstats")["cmdstat_hmget"]["calls"] > 0
        assert client.keys() == []
