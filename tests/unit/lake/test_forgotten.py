"""Whose rows are refused: exactly those of the forgotten, who cannot be read from the file."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.lake.errors import LakeError
from lockstep.lake.forgotten import Forgotten
from lockstep.lake.lake import Lake

KEY = "_parity/forgotten/bank.json"
IDS = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(st.sets(IDS, max_size=5), st.lists(st.none() | IDS | st.integers(0, 3), max_size=20))
def test_exactly_the_forgotten_are_refused(gone: set[int], ids: list[int | None]) -> None:
    forgotten = Forgotten("bank", "salt", {})
    for one in gone:
        forgotten = forgotten.also("card", one)
    rows = pl.DataFrame({"card": ids, "shop": ids}, schema={"card": pl.Int64, "shop": pl.Int64})
    assert forgotten.of(rows).to_list() == [one in gone for one in ids]
    assert forgotten.of(rows.select("shop")).to_list() == [False] * len(ids)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    written = Forgotten.read(lake, "bank").also("card", 42).also("card", 7).also("shop", 42)
    written.write(lake)
    assert Forgotten.read(lake, "bank") == written
    assert Forgotten.read(lake, "other").hashes == {}
    assert Forgotten.read(lake, "other").salt != written.salt
    text = lake.read_bytes(KEY).decode()
    assert '"42"' not in text
    assert " 42" not in text
    assert written.salt not in repr(written)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"salt": "s"}', b'{"salt": "s", "hashes": []}'])
def test_a_damaged_file_refuses_all_ingests(tmp_path: Path, content: bytes) -> None:
    lake = Lake.at(tmp_path)
    lake.write_bytes(KEY, content)
    with pytest.raises(LakeError, match="does not say whom to refuse"):
        Forgotten.read(lake, "bank")
