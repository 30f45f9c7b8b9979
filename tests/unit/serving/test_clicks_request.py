"""What a click may look like over HTTP."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockstep.contract.clicks import SCORED_EVENTS
from serving.use_cases.clicks import ClickPrediction, ClickRequest

GOOD = dict.fromkeys(SCORED_EVENTS.entity_keys, 1)


def test_a_request_brings_what_batch_scoring_reads_from_the_lake() -> None:
    request = ClickRequest.model_validate(GOOD | {"ip": 7})
    assert tuple(request.entity_ids()) == SCORED_EVENTS.entity_keys
    assert request.entity_ids()["ip"] == 7
    columns = (*SCORED_EVENTS.request_columns, SCORED_EVENTS.time_column)
    assert tuple(request.request_values(0)) == columns
    decisions = get_args(ClickPrediction.model_fields["decision"].annotation)
    assert set(decisions) == set(SCORED_EVENTS.decisions)


@pytest.mark.parametrize("field", SCORED_EVENTS.entity_keys)
@given(
    value=st.floats()
    | st.text()
    | st.booleans()
    | st.none()
    | st.integers(max_value=-1)
    | st.integers(min_value=2**63)
)
def test_only_whole_numbers_from_zero_on_are_ids(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        ClickRequest.model_validate(GOOD | {field: value})


@pytest.mark.parametrize("field", ["click_time", "is_attributed", "attributed_time"])
def test_what_a_caller_cannot_know_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        ClickRequest.model_validate(GOOD | {field: 1})
