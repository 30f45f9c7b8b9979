"""What the fraud use case knows at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from training.fraud import labelled_transactions

_T = datetime(2018, 4, 1, 12, tzinfo=UTC)
_DAY = timedelta(days=1)
_KNOWN = _T + 7 * _DAY


def _write(lake: Path, table: str, rows: pl.DataFrame) -> None:
    times = pl.selectors.datetime().dt.cast_time_unit("us")
    Lake.at(lake).table(table).write_day(_T.date(), rows.with_columns(times))


def _transactions(lake: Path, *, created: datetime = _T, deleted: datetime | None = None) -> None:
    row = {
        "transaction_id": 1,
        "event_timestamp": _T,
        "created_timestamp": created,
        "customer_id": 10,
        "terminal_id": 20,
        "amount_cents": 1999,
        "is_deleted": False,
    }
    taken_back = {**row, "created_timestamp": deleted, "is_deleted": True}
    _write(lake, "fraud/transactions", pl.DataFrame([taken_back, row] if deleted else [row]))


def _verdicts(lake: Path, *verdicts: tuple[int, datetime, datetime]) -> None:
    """Verdicts on transaction 1 as (fraud, event, created); each takes back the one before."""
    rows = [_verdict(*verdict) for verdict in verdicts]
    for (fraud, event, _), (*_, corrected) in pairwise(verdicts):
        rows.insert(0, _verdict(fraud, event, corrected, deleted=True))
    _write(lake, "fraud/verdicts", pl.DataFrame(rows))


def _verdict(
    fraud: int, event: datetime, created: datetime, *, deleted: bool = False
) -> dict[str, object]:
    return {
        "transaction_id": 1,
        "event_timestamp": event,
        "created_timestamp": created,
        "fraud": fraud,
        "fraud_scenario": 2 * fraud,
        "is_deleted": deleted,
    }


def test_a_row_has_its_ids_its_request_columns_and_its_label(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN).to_dicts() == [
        {
            "transaction_id": 1,
            "customer_id": 10,
            "terminal_id": 20,
            "event_timestamp": _T,
            "amount_cents": 1999,
            "transaction_time_us": 1_522_584_000_000_000,
            "label": 1,
            "fraud_scenario": 2,
            "label_known_at": _KNOWN,
        }
    ]


def test_a_verdict_counts_from_the_instant_at_which_it_is_known(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN - timedelta(microseconds=1)).is_empty()


def test_a_verdict_that_arrived_late_is_known_when_it_arrived(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN + _DAY))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN).is_empty()
    late = labelled_transactions(Lake.at(tmp_path), _KNOWN + _DAY)
    assert late["label_known_at"].to_list() == [_KNOWN + _DAY]


def test_a_transaction_that_had_not_arrived_is_not_known(tmp_path: Path) -> None:
    _transactions(tmp_path, created=_KNOWN + _DAY)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN).is_empty()


def test_a_corrected_verdict_replaces_the_first_once_it_is_known(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (0, _KNOWN, _KNOWN), (1, _KNOWN + _DAY, _KNOWN + _DAY))
    before = labelled_transactions(Lake.at(tmp_path), _KNOWN)
    after = labelled_transactions(Lake.at(tmp_path), _KNOWN + _DAY)
    assert (before["label"].to_list(), after["label"].to_list()) == ([0], [1])


def test_a_verdict_corrected_before_it_was_known_was_never_the_first(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (0, _KNOWN, _T), (1, _KNOWN, _T + _DAY))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN)["label"].to_list() == [1]


def test_a_verdict_moved_to_a_later_day_is_not_known_before_it(tmp_path: Path) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (0, _KNOWN, _T), (1, _KNOWN + _DAY, _T + _DAY))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN).is_empty()


def test_a_deleted_transaction_is_no_row_once_that_is_known(tmp_path: Path) -> None:
    _transactions(tmp_path, deleted=_KNOWN + _DAY)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN).height == 1
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN + _DAY).is_empty()


def test_an_empty_lake_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="run `lockstep ingest fraud` first"):
        labelled_transactions(Lake.at(tmp_path), _KNOWN)


@pytest.mark.parametrize("table", ["fraud/transactions", "fraud/verdicts"])
def test_a_damaged_partition_is_named_by_its_table(tmp_path: Path, table: str) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    (tmp_path / Lake.at(tmp_path).table(table).part(_T.date())).write_bytes(b"no parquet at all")
    with pytest.raises(LakeError, match=rf"/{table}/day=2018-04-01/part.parquet cannot be read"):
        labelled_transactions(Lake.at(tmp_path), _KNOWN)


@pytest.mark.parametrize(("since", "rows"), [(_T, 1), (_T + timedelta(microseconds=1), 0)])
def test_rows_before_an_instant_are_left_out(tmp_path: Path, since: datetime, rows: int) -> None:
    _transactions(tmp_path)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN, since).height == rows


def test_what_was_taken_back_stays_so_from_an_instant_on(tmp_path: Path) -> None:
    _transactions(tmp_path, deleted=_KNOWN)
    _verdicts(tmp_path, (1, _KNOWN, _KNOWN))
    assert labelled_transactions(Lake.at(tmp_path), _KNOWN, _T).is_empty()
