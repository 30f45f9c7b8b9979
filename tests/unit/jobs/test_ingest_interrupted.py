"""An ingest that the power failed: the next one repairs it, and until then nobody reads half."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from ingested_lake import NAMES, add, assert_as_of_one_ingest
from power_cut import PowerCutError, power_cut
from raw_transactions import good_rows, write_parquet

from feature_repo.windows.fraud import CUSTOMER_WINDOWS
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.source import open_source
from lockstep.lake.errors import LakeError
from lockstep.lake.facts import scan_facts
from lockstep.lake.lake import Lake
from lockstep.lake.stage import Stage


@pytest.mark.parametrize("writes", range(15))
def test_the_same_command_repairs_an_interrupted_one(
    local_lake: Lake, tmp_path: Path, writes: int
) -> None:
    rows = good_rows(14)
    add(rows[:4], local_lake)
    path = write_parquet(tmp_path / "rest.parquet", rows[2:])
    with pytest.raises(PowerCutError), power_cut(writes):
        ingest(ingest_spec(), path, lake=local_lake)
    receipt = ingest(ingest_spec(), path, lake=local_lake)
    assert receipt.accepted + receipt.already_there == 12
    assert_as_of_one_ingest(local_lake, rows)


@pytest.mark.parametrize("writes", range(5, 12))
def test_an_ingest_of_something_else_completes_a_committed_one(
    local_lake: Lake, tmp_path: Path, writes: int
) -> None:
    rows = good_rows(14)
    path = write_parquet(tmp_path / "first.parquet", rows[:6])
    with pytest.raises(PowerCutError), power_cut(writes):
        ingest(ingest_spec(), path, lake=local_lake)
    add(rows[6:], local_lake)
    assert_as_of_one_ingest(local_lake, rows)
    assert len(local_lake.table(NAMES[0]).metadata()["ingests"]) == 2


@pytest.mark.parametrize("writes", range(5, 12))
def test_half_an_ingest_is_not_read(local_lake: Lake, tmp_path: Path, writes: int) -> None:
    """Between the commit and the last merge some days have the new facts and others do not."""
    add(good_rows(4), local_lake)
    path = write_parquet(tmp_path / "rest.parquet", good_rows(14))
    with pytest.raises(PowerCutError), power_cut(writes):
        ingest(ingest_spec(), path, lake=local_lake)
    table = local_lake.table(NAMES[0])
    committed = Stage.unmerged(table)
    with pytest.raises(LakeError, match="under way or broke off") if committed else nullcontext():
        assert len(table.collect(scan_facts(table))) == 4
    with pytest.raises(LakeError, match="under way or broke off") if committed else nullcontext():
        assert open_source(local_lake, CUSTOMER_WINDOWS).footers
    add(good_rows(1), local_lake)
    assert len(table.collect(scan_facts(table))) == (14 if committed else 4)
