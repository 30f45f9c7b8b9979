"""The request of the fraud use case, before any service sees it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockstep.contract.fraud import SCORED_EVENTS
from lockstep.jobs.ingest.fraud import MAX_AMOUNT_CENTS
from lockstep.windows.microseconds import microseconds
from serving.use_cases.fraud import MOST_CENTS, FraudPrediction, FraudRequest

_IDS = st.integers(0, 2**63 - 1)


@given(_IDS, _IDS, st.integers(0, MOST_CENTS), st.datetimes(timezones=st.just(UTC)))
def test_what_is_in_range_is_taken_exactly(
    customer: int, terminal: int, cents: int, t: datetime
) -> None:
    request = FraudRequest.model_validate(
        {
            "customer_id": customer,
            "terminal_id": terminal,
            "amount_cents": cents,
            "event_timestamp": t.isoformat(),
        }
    )
    assert request.entity_ids() == {"customer_id": customer, "terminal_id": terminal}
    assert request.event_timestamp == t
    t_us = microseconds(t)
    assert request.request_values(t_us) == {"amount_cents": cents, "transaction_time_us": t_us}


def test_a_request_brings_what_batch_scoring_reads_from_the_lake() -> None:
    request = FraudRequest(customer_id=1, terminal_id=2, amount_cents=3)
    assert tuple(request.entity_ids()) == SCORED_EVENTS.entity_keys
    columns = (*SCORED_EVENTS.request_columns, SCORED_EVENTS.time_column)
    assert tuple(request.request_values(0)) == columns
    decisions = get_args(FraudPrediction.model_fields["decision"].annotation)
    assert set(decisions) == set(SCORED_EVENTS.decisions)


@given(st.integers().filter(lambda n: not 0 <= n <= MOST_CENTS))
def test_an_amount_out_of_range_is_refused(cents: int) -> None:
    with pytest.raises(ValidationError, match="amount_cents"):
        FraudRequest.model_validate({"customer_id": 1, "terminal_id": 1, "amount_cents": cents})


@pytest.mark.parametrize("field", ["customer_id", "terminal_id", "amount_cents"])
@given(value=st.floats() | st.text() | st.booleans() | st.none())
def test_only_whole_numbers_are_whole_numbers(field: str, value: object) -> None:
    good = {"customer_id": 1, "terminal_id": 1, "amount_cents": 1}
    with pytest.raises(ValidationError, match=field):
        FraudRequest.model_validate(good | {field: value})


def test_the_largest_amount_that_is_ingested_can_be_scored() -> None:
    assert MOST_CENTS == MAX_AMOUNT_CENTS
