"""What a feature service declares about statuses: read from tags, applied cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lockstep.contract.status import FeatureStatus
from lockstep.contract.status_policy import StatusPolicy, StatusPolicyError, codes_of

NOT_FOUND, EXPIRED = FeatureStatus.NOT_FOUND, FeatureStatus.EXPIRED
STALE, NULL = FeatureStatus.STALE, FeatureStatus.NULL
STATUSES = list(FeatureStatus)
TAGS = {"on_not_found": NOT_FOUND, "on_expired": EXPIRED, "on_stale": STALE, "on_null": NULL}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ACTIONS = st.sampled_from(["score", "flag", "reject"]) | NUMBERS.map(repr)
POLICIES = st.dictionaries(st.sampled_from(sorted(TAGS)), ACTIONS).map(StatusPolicy.of)
CODES = arrays(
    np.uint8,
    st.tuples(st.integers(1, 5), st.integers(1, 4)),
    elements=st.integers(0, len(STATUSES) - 1),
)


def test_without_tags_null_is_scored_and_the_others_are_flagged() -> None:
    policy = StatusPolicy.of({})
    assert policy == StatusPolicy(frozenset(), frozenset({NOT_FOUND, EXPIRED, STALE}), {})


@pytest.mark.parametrize(("tag", "status"), TAGS.items())
def test_each_tag_says_each_thing_of_its_own_status_only(tag: str, status: FeatureStatus) -> None:
    others = StatusPolicy.of({}).flagged - {status}
    assert StatusPolicy.of({tag: "score"}) == StatusPolicy(frozenset(), others)
    assert StatusPolicy.of({tag: "flag"}) == StatusPolicy(frozenset(), others | {status})
    assert StatusPolicy.of({tag: "reject"}) == StatusPolicy(frozenset({status}), others)
    assert StatusPolicy.of({tag: "-1.5"}) == StatusPolicy(frozenset(), others, {status: -1.5})


def test_tags_of_others_say_nothing() -> None:
    assert StatusPolicy.of({"owner": "reject", "stage": "on_null"}) == StatusPolicy.of({})


@pytest.mark.parametrize("tag", ["on_future", "on_present", "on_missing", "on_"])
def test_a_tag_that_may_not_be_declared_is_refused(tag: str) -> None:
    with pytest.raises(StatusPolicyError, match=f"no tag '{tag}'; use some of .*'on_not_found'"):
        StatusPolicy.of({tag: "score"})


@pytest.mark.parametrize("value", ["", "Reject", "ignore", "0x10", "1,5", "nan", "inf", "-inf"])
def test_a_value_that_is_not_understood_is_refused(value: str) -> None:
    expected = f"the tag on_null of a feature service is {value!r}, expected score, flag, reject"
    with pytest.raises(StatusPolicyError, match=expected):
        StatusPolicy.of({"on_null": value})


@given(POLICIES, CODES, st.data())
def test_only_the_cells_of_a_status_with_a_default_get_it(
    policy: StatusPolicy, codes: np.ndarray, data: st.DataObject
) -> None:
    values = data.draw(arrays(np.float64, codes.shape, elements=st.floats()))
    before = values.copy()
    treated = policy.treated(values, codes)
    assert values.tobytes() == before.tobytes()
    for place, code in np.ndenumerate(codes):
        expected = policy.defaults.get(STATUSES[code], before[place])
        np.testing.assert_array_equal(treated[place], expected)


@given(POLICIES, CODES)
def test_a_row_is_rejected_for_one_cell_and_for_nothing_else(
    policy: StatusPolicy, codes: np.ndarray
) -> None:
    expected = [any(STATUSES[code] in policy.rejected for code in row) for row in codes]
    assert policy.rejects(codes).tolist() == expected


@given(POLICIES, CODES)
def test_flags_of_a_row_come_once_each_in_order_of_precedence(
    policy: StatusPolicy, codes: np.ndarray
) -> None:
    found = [{STATUSES[code] for code in row} & policy.flagged for row in codes]
    expected = {row: [s for s in STATUSES if s in flags] for row, flags in enumerate(found)}
    assert policy.flags(codes) == {row: flags for row, flags in expected.items() if flags}


@given(st.lists(st.sampled_from(STATUSES)))
def test_codes_are_positions_of_statuses_by_name(statuses: list[FeatureStatus]) -> None:
    codes = codes_of([str(status) for status in statuses])
    assert codes.dtype == np.uint8
    assert [STATUSES[code] for code in codes] == statuses
