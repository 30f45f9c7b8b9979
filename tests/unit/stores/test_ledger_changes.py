"""Deletions and corrections on record, beside the materialisations and apart from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockstep.lake.lake import Lake
from lockstep.stores.errors import LedgerError
from lockstep.stores.ledger import (
    Beginning,
    ChangeRow,
    append,
    changes_of,
    ledger_folder,
    newest_row,
    rows_of,
    unfinished,
)

T0 = datetime(2018, 4, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DELETION = ChangeRow("p", "cards", "deletion", "d", T0, rows=3, content="c")


def test_a_change_has_begun_before_it_has_finished(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    append(lake, DELETION)
    assert changes_of(lake, "p", "cards") == [DELETION]
    finished = replace(DELETION, finished=T0 + MINUTE)
    append(lake, finished)
    correction = replace(DELETION, kind="correction", started=T0 - MINUTE)
    append(lake, correction)
    append(lake, replace(DELETION, view="shops"))
    assert changes_of(lake, "p", "cards") == [correction, finished]
    assert len(lake.list(ledger_folder("p", "cards"))) == 3


def test_changes_are_no_materialisations(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    begun = Beginning("p", "cards", T0, T0, "d")
    append(lake, begun)
    append(lake, DELETION)
    append(lake, replace(DELETION, finished=T0 + MINUTE))
    assert rows_of(lake, "p", "cards") == []
    assert newest_row(lake, "p", "cards") is None
    assert unfinished(lake, "p", "cards") == [begun]
    assert changes_of(lake, "p", "shops") == []


@pytest.mark.parametrize("content", [b"", b"{}", b'{"started": 1}'])
def test_a_damaged_change_is_an_error(tmp_path: Path, content: bytes) -> None:
    lake = Lake.at(tmp_path)
    append(lake, DELETION)
    lake.write_bytes(DELETION.key, content)
    with pytest.raises(LedgerError):
        changes_of(lake, "p", "cards")
