"""Which entity is meant by what was typed."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.jobs.ingest import clicks, fraud, property
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.errors import ErasureError

KEYS = {"customer": "customer_id", "terminal": "terminal_id"}
SPEC = fraud.ingest_spec()


def parsed(text: str) -> ErasedEntity:
    return ErasedEntity.parsed(text, SPEC, join_keys=KEYS)


@pytest.mark.parametrize(
    "text", ["customer=42", "customer_id=42", " customer = 42 ", "customer=042"]
)
def test_an_entity_goes_by_its_name_or_its_key(text: str) -> None:
    assert parsed(text) == ErasedEntity("customer_id", 42)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("customer", "names no entity and id"),
        ("=42", "names no entity and id"),
        ("customer=", "names no entity and id"),
        ("customer=42,terminal=3", "names several keys; name one of them"),
        ("card=42", r"has no entity 'card' .* known are \['customer', 'terminal'\]"),
        ("tx_amount=42", "has no entity 'tx_amount'"),
        ("customer=me", r"'me' is no id of 'customer_id' \(not_an_integer\)"),
        ("customer=4.5", "not_an_integer"),
        ("customer=-1", "out of range"),
    ],
)
def test_what_is_no_entity_is_refused(text: str, told: str) -> None:
    with pytest.raises(ErasureError, match=told):
        parsed(text)


def test_keys_that_files_do_not_have_cannot_be_forgotten() -> None:
    """A cell follows from where a flat is: its rows could come again."""
    with pytest.raises(ErasureError, match="of which its files have the id"):
        ErasedEntity.parsed("cell=4", property.ingest_spec(), join_keys={"cell": "cell_id"})
    known = {"ip": "ip", "app": "app"}
    found = ErasedEntity.parsed("ip=5", clicks.ingest_spec(), join_keys=known)
    assert found == ErasedEntity("ip", 5)


@given(st.lists(st.none() | st.integers(0, 50)), st.integers(0, 50))
def test_exactly_its_rows_are_its_own_as_numbers_and_as_text(
    ids: list[int | None], value: int
) -> None:
    entity, expected = ErasedEntity("customer_id", value), [one == value for one in ids]
    rows = pl.DataFrame({"customer_id": ids}, schema={"customer_id": pl.Int64})
    assert rows.select(entity.rows()).to_series().to_list() == expected
    text = [None if one is None else f" 0{one}" for one in ids]
    raw = pl.DataFrame({"customer_id": text}, schema={"customer_id": pl.String})
    assert raw.select(entity.raw_rows(SPEC)).to_series().to_list() == expected
    nobodys = raw.select(entity.unreadable(SPEC)).to_series().to_list()
    assert nobodys == [one is None for one in ids]
