"""Each cause is found where its evidence is, and nowhere else."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.parity.causes import CAUSE_TYPE, EVIDENCE, Cause, causes
from lockstep.parity.served_rows import EXPIRED, FOUND, FUTURE
from lockstep.parity.served_rows import NOT_FOUND as NOBODY

# An answer that is neither exact nor what the store should have held, of which nothing is known.
NOTHING: dict[str, Any] = dict.fromkeys(EVIDENCE) | {
    "same_definition": True,
    "is_exact": False,
    "is_held": False,
    "is_in_flight": False,
    "is_erased": False,
}
# Materialised up to 100; the lake knows a step of 90 since 120.
BEHIND = {"is_held": True, "cut_us": 100, "exact_event_us": 90, "exact_created_us": 120}

# What speaks for each cause, to the last column: without any one of them it is another.
SPEAKS: dict[Cause, dict[str, Any]] = {
    Cause.DEFINITION_VERSION: {"same_definition": False},
    Cause.MATCH: {"is_exact": True},
    Cause.NEWER_STEP: {"is_held": True, "held_kind": FUTURE},
    Cause.NOT_YET_MATERIALISED: {"is_held": True, "cut_us": 100, "exact_event_us": 101},
    Cause.DELETED: BEHIND | {"deletions": 1},
    Cause.CORRECTED_SINCE: BEHIND | {"corrections": 1},
    Cause.LATE_EVENT: BEHIND | {"late_rows": 1},
    Cause.IN_FLIGHT: {"is_in_flight": True},
    Cause.MISSING_ENTITY: {"served_kind": NOBODY, "held_kind": FOUND},
    Cause.NULL_POLICY: {"differs_by_default": True},
    Cause.TYPE_OR_ROUNDING: {"differs_by_type": True},
}


def cause_of(**evidence: Any) -> Cause:
    rows = pl.DataFrame([NOTHING | evidence], schema=EVIDENCE)
    found = causes(rows)
    assert found.dtype == CAUSE_TYPE
    return Cause(found.item())


@pytest.mark.parametrize("cause", SPEAKS)
def test_evidence_gives_its_cause(cause: Cause) -> None:
    assert cause_of(**SPEAKS[cause]) is cause


@pytest.mark.parametrize(
    "cause, column", [(cause, column) for cause, row in SPEAKS.items() for column in row]
)
def test_no_cause_stands_without_one_of_its_pieces(cause: Cause, column: str) -> None:
    without = {name: value for name, value in SPEAKS[cause].items() if name != column}
    assert cause_of(**without) is Cause.UNEXPLAINED
    assert cause_of(**SPEAKS[cause] | {column: None}) is not cause


@given(
    st.fixed_dictionaries(
        {
            name: st.none() | (st.booleans() if kind == pl.Boolean else st.integers(0, 3))
            for name, kind in EVIDENCE.items()
            if kind != pl.String
        }
        | {
            name: st.sampled_from([None, NOBODY, FUTURE, EXPIRED, FOUND])
            for name, kind in EVIDENCE.items()
            if kind == pl.String
        }
    )
)
def test_what_is_stale_was_held_by_the_ledger_or_in_flight(evidence: dict[str, Any]) -> None:
    cause = cause_of(**evidence)
    if cause.is_stale:
        assert evidence["is_held"] or evidence["is_in_flight"] or evidence["is_erased"]
        assert not evidence["is_exact"]
    if evidence["is_exact"] and evidence["same_definition"]:
        assert cause is Cause.MATCH


def test_no_ledger_explains_nothing() -> None:
    """What the store should have held is not known, so it may not be called behind."""
    unknown = {"is_held": False, "held_kind": None, "cut_us": None}
    for cause, evidence in SPEAKS.items():
        if cause.is_stale and cause is not Cause.IN_FLIGHT:
            assert cause_of(**evidence | unknown) is Cause.UNEXPLAINED


def test_what_has_expired_in_the_store_is_told_from_what_is_behind() -> None:
    step = {"is_held": True, "cut_us": 100, "exact_event_us": 101, "exact_kind": FOUND}
    assert cause_of(**step, held_kind=EXPIRED) is Cause.EXPIRED
    assert cause_of(**step, held_kind=FOUND) is Cause.NOT_YET_MATERIALISED


def test_rows_keep_their_order_and_no_rows_have_no_cause() -> None:
    rows = pl.DataFrame([NOTHING | SPEAKS[cause] for cause in SPEAKS], schema=EVIDENCE)
    assert causes(rows).to_list() == list(SPEAKS)
    assert causes(rows.clear()).to_list() == []


def test_what_an_erasure_has_touched_is_called_deleted() -> None:
    assert cause_of(is_erased=True) is Cause.DELETED
    assert cause_of(is_erased=True, is_exact=True) is Cause.MATCH
    assert cause_of(is_erased=None) is Cause.UNEXPLAINED
