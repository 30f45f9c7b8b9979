"""What the fraud use case knows at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lockstep.lake.errors import LakeError
from lockstep.lake.table import LakeTable
from training.fraud import labelled_transactions

_T = datetime(2018, 4, 1, 12, tzinfo=UTC)
_DAY = timedelta(days=1)
_KNOWN = _T + 7 * _DAY


def _write(lake: Path, table: str, rows: pl.DataFrame) -> None:
    times = pl.selectors.datetime()
    LakeTable(lake, table).write_day(_T.date(), rows.with_columns(times.dt.cast_time_unit("us")))


def _transactions(lake: Path, *, created: datetime = _T) -> None:
    row = {
        "transaction_id": 1,
        "event_timestamp": _T,
        "created_timestamp": created,
        "customer_id": 10,
        "terminal_id": 20,
        "amount_cents": 1999,
    }
    _write(lake, "fraud/transactions", pl.DataFrame([row]))


def _verdicts(lake: Path, *verdicts: tuple[int, datetime, datetime]) -> None:
    """Verdicts on transaction 1 as (fraud, event, created)."""
    rows = [
        {"transaction_id": 1, "event_timestamp": e, "created_timestamp": c, "fraud": f}
        for f, e, c in verdicts
    ]
    _write(lake, "fraud/verdicts", pl.DataFrame(rows))


def test_a_row_has_its_ids_its_request_columns_and_its_label(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(tmp_path, _KNOWN).to_dicts() == [
        {
            "transaction_id": 1,
            "customer_id": 10,
            "terminal_id": 20,
            "event_timestamp": _T,
            "amount_cents": 1999,
            "transaction_time_us": 1_522_584_000_000_000,
            "label": 1,
            "label_known_at": _KNOWN,
        }
    ]


def test_a_verdict_counts_from_the_instant_at_which_it_is_known(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(tmp_path, _KNOWN - timedelta(microseconds=1)).is_empty()


def test_a_verdict_that_arrived_late_is_known_when_it_arrived(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN + _DAY))
    assert labelled_transactions(tmp_path, _KNOWN).is_empty()
    late = labelled_transactions(tmp_path, _KNOWN + _DAY)
    assert late["label_known_at"].to_list() == [_KNOWN + _DAY]


def test_a_transaction_that_had_not_arrived_is_not_known(tmp_path: Path) -> None:
    _transactions(tmp_path, created=_KNOWN + _DAY)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(tmp_path, _KNOWN).is_empty()


def test_a_corrected_verdict_replaces_the_first_once_it_is_known(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN + _DAY, _KNOWN + _DAY), (0, _KNOWN, _KNOWN))
    before = labelled_transactions(tmp_path, _KNOWN)
    after = labelled_transactions(tmp_path, _KNOWN + _DAY)
    assert (before["label"].to_list(), after["label"].to_list()) == ([0], [1])


def test_an_empty_lake_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="run `lockstep ingest fraud` first"):
        labelled_transactions(tmp_path, _KNOWN)


@pytest.mark.parametrize("table", ["fraud/transactions", "fraud/verdicts"])
def test_a_damaged_partition_is_named_by_its_table(tmp_path: Path, table: str) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    LakeTable(tmp_path, table).part(_T.date()).write_bytes(b"no parquet at all")
    with pytest.raises(LakeError, match=rf"a partition of .*/{table} cannot be read"):
        labelled_transactions(tmp_path, _KNOWN)
