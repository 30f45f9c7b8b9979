"""The console blocks of the pages, in order, as they stand there.

Those on whole real files are in test_page_results.py.
"""

from __future__ import annotations

import json
from itertools import groupby, islice
from pathlib import Path

import polars as pl
import pytest
from free_port import free_port
from test_doc_commands import ROOT, commands
from test_readme import project, run

from lockstep.stores.embedded_redis import embedded_redis

pytestmark = pytest.mark.timeout(900)


def blocks(page: str) -> list[str]:
    """The lines of each of the page's blocks."""
    found = commands((ROOT / "docs" / f"{page}.md").read_text())
    return ["\n".join(line for line, _ in lines) for _, lines in groupby(found, lambda it: it[1])]


def block(page: str, number: int) -> str:
    return blocks(page)[number]


# A no is an answer (the page says so), but only who was promoted can be rolled back.
PROMOTE = "lockstep promote fraud\n"
PROMOTED = "lockstep promote fraud || { (( $? == 3 )); lockstep promote fraud --force; }\n"


def test_every_block_is_run() -> None:
    """A new one needs a place in a test, here or in test_page_results.py."""
    counts = {"clicks": 2, "market": 3, "property": 4, "results": 1}
    counts |= {"scoring": 1, "serving": 1, "training": 1}
    for page, count in counts.items():
        assert len(blocks(page)) == count, page


def test_a_model_is_trained_judged_and_scored_with(tmp_path: Path) -> None:
    training = block("training", 0)
    assert training.count(PROMOTE) == 1
    script = f"""
        lockstep generate fraud --customers 80 --terminals 120 --days 137 --out raw.parquet
        lockstep ingest fraud --from raw.parquet
        lockstep build fraud
        {block("market", 0)}
        lockstep apply
        {training.replace(PROMOTE, PROMOTED)}
        {block("scoring", 0)}
    """
    told = run(script, tmp_path, project(tmp_path, ""))
    assert "Version 1 is champion again, in place of 2." in told
    assert "The verdict: " in told
    scored = pl.read_parquet(tmp_path / ".lockstep/lake/fraud/scored/day=2018-07-28/part.parquet")
    assert scored["model_version"].unique().to_list() == [2]


def test_the_server_starts_as_the_page_says(tmp_path: Path) -> None:
    port = free_port()
    *keys, serve = block("serving", 0).splitlines()
    assert serve == "lockstep serve --workers 2"
    wait = "kill -0 $!; (( SECONDS < 400 )); sleep 0.2"
    script = f"""
        lockstep generate fraud --customers 80 --terminals 120 --days 100 --out raw.parquet
        lockstep ingest fraud --from raw.parquet
        lockstep build fraud
        lockstep apply
        lockstep materialize fraud --start 2018-04-01 --end 2018-07-01
        lockstep train fraud --iterations 40
        {keys[0]} >api_key
        {serve} >serve.log 2>&1 &
        trap 'kill $!' EXIT
        until curl -sf localhost:{port}/ready >ready.txt; do {wait}; done
        key="X-API-Key: $(cat api_key)"
        curl -s --fail-with-body localhost:{port}/v1/fraud/random -H "$key" | tee answer.json
    """
    with embedded_redis(data_dir=tmp_path / "redis") as url:
        run(script, tmp_path, project(tmp_path, url) | {"SERVING_PORT": str(port)})
    answer = json.loads((tmp_path / "answer.json").read_text())["answer"]
    assert answer["decision"] in {"allow", "block"}


def test_generated_flats_become_windows(tmp_path: Path) -> None:
    told = run(block("property", 0), tmp_path, project(tmp_path, ""))
    assert "property/cell_listings, local engine" in told


@pytest.mark.realdata
@pytest.mark.parametrize(
    "page, file", [("market", "btcusdt_4h.csv"), ("property", "spb_listings.csv")]
)
def test_an_export_becomes_windows(
    page: str, file: str, real_data_dir: Path, tmp_path: Path
) -> None:
    """The first lines of the real file, under its name beside the reader."""
    with (real_data_dir / file).open() as lines:
        (tmp_path / file).write_text("".join(islice(lines, 1301)))
    told = run(block(page, 1), tmp_path, project(tmp_path, ""))
    assert told.count(", local engine, ") == {"market": 6, "property": 5}[page]
