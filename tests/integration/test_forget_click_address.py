"""An address is forgotten that is part of composite keys, beside others of which it is none."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clicks_project import START, generated_file
from erasable import PowerCutError, cut_at, forgotten, rows_of
from feast_project import make_project

from feature_repo.discovery import feast_objects
from feature_repo.store import open_feature_store
from feature_repo.windows.clicks import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.ingest.clicks import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.engine import LockstepComputeEngine

CUT = START.replace(day=11)


def project(folder: Path, file: Path, redis_url: str) -> Settings:
    """Ingested, built, applied and materialised; nothing is trained."""
    settings = make_project(folder)
    lake = Lake.at(settings.lake)
    ingest(ingest_spec(), file, lake=lake, max_rejected_share=0.0)
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        store = open_feature_store(settings)
        store.apply(list(feast_objects("clicks").values()))
        store.materialize(START, CUT)
    return settings


def online(settings: Settings, redis_url: str, clicks: pl.DataFrame) -> dict[str, list[Any]]:
    """What Redis has of the clicks' keys: of each view the first feature."""
    found: dict[str, list[Any]] = {}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", redis_url)
        store = open_feature_store(settings)
        for spec in WINDOW_SPECS:
            refs = [f"{spec.name}:{next(iter(spec.features()))}"]
            rows = clicks.select(spec.entity_keys).unique().sort(spec.entity_keys).to_dicts()
            found[spec.name] = store.get_online_features(refs, rows).to_dict()
    return found


@pytest.fixture(params=["written", "content"])
def versions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that is replaced by the same has another version in a folder, and none on S3."""
    if request.param == "content":
        of_content = "lockstep.lake.local_objects._version"
        monkeypatch.setattr(of_content, lambda entry: _digest(Path(entry.path)))


def _digest(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.mark.usefixtures("versions")
def test_it_is_as_if_the_address_had_never_clicked(redis_url: str, tmp_path: Path) -> None:
    file = generated_file(tmp_path)
    raw = pl.read_csv(file)
    before = raw.filter(pl.col("click_time") < CUT.strftime("%Y-%m-%d"))
    busy = before["ip"].value_counts(sort=True)["ip"][0]
    settings = project(tmp_path / "ours", file, redis_url)
    erase = partial(
        forgotten,
        settings,
        redis_url,
        column="ip",
        value=busy,
        spec=ingest_spec(),
        windows=WINDOW_SPECS,
    )
    # The rows of others are written, and the run that wrote them is not on record.
    with pytest.MonkeyPatch.context() as patch, pytest.raises(PowerCutError):
        cut_at(LockstepComputeEngine, "_record", 1)(patch)
        erase()
    told = erase()
    places = {place.place: place for place in told.places}
    theirs = raw.filter(pl.col("ip") == busy)
    assert places["clicks/clicks"].rows_before == theirs.height
    pairs = before.filter(pl.col("ip") == busy)
    combined = [pairs.select(k).n_unique() for k in (["ip"], ["ip", "app"], ["ip", "device", "os"])]
    assert places["online store"].rows_before == sum(combined)
    assert told.is_clean
    assert rows_of(Lake.at(settings.lake), "ip", busy) == {}
    left = tmp_path / "left.csv"
    raw.filter(pl.col("ip") != busy).write_csv(left)
    with embedded_redis() as url:
        never = project(tmp_path / "never", left, url)
        expected = online(never, url, raw)
    found = online(settings, redis_url, raw)
    assert found == expected
    count = found["ip_app_clicks"]["ip_app_click_count_10m"]
    absent = [n for n, ip in zip(count, found["ip_app_clicks"]["ip"], strict=True) if ip == busy]
    assert absent == [None] * len(absent)
    assert absent
    for spec in WINDOW_SPECS:
        ours, theirs_ = (Lake.at(each.lake).table(spec.table) for each in (settings, never))
        assert ours.days() == theirs_.days()
        for day in ours.days():
            assert ours.read_day(day).equals(theirs_.read_day(day)), ours.part(day)
    again = ingest(ingest_spec(), file, lake=Lake.at(settings.lake))
    assert (again.forgotten, again.accepted) == (theirs.height, 0)
