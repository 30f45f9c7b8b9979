"""An audit's account: it adds up, survives the lake, and says what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from feast import FeatureService
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.lake.lake import Lake
from lockstep.parity.audit_report import audit_page
from lockstep.parity.audit_result import (
    EXAMPLES,
    AuditedService,
    AuditResult,
    Example,
    last_audit,
    write_audit,
)
from lockstep.parity.audit_words import MEANINGS, verdict
from lockstep.parity.causes import Cause
from lockstep.parity.errors import AuditError
from lockstep.parity.sql.result import SqlCheck, SqlExample
from lockstep.parity.stale_budget import StaleBudgetError, max_stale_share

AT = datetime(2018, 5, 12, tzinfo=UTC)
counts = st.dictionaries(st.sampled_from([c.value for c in Cause]), st.integers(1, 10**6))
by_name = st.dictionaries(st.sampled_from(["a", "b<"]), counts.filter(bool))
values = st.none() | st.integers() | st.floats(allow_nan=False)
examples = st.builds(
    Example,
    request_id=st.text(max_size=4),
    t=st.just(AT.isoformat()),
    view=st.just("a"),
    feature=st.just("n"),
    cause=st.sampled_from([c.value for c in Cause]),
    served=values,
    exact=values,
    held=values,
)
services = st.builds(
    AuditedService,
    service=st.just("one"),
    vectors=st.integers(0, 10**6),
    causes=counts,
    views=by_name,
    features=by_name,
    ages=st.dictionaries(
        st.sampled_from(["1m", "1h", "more"]), st.tuples(st.integers(1, 9), st.integers(0, 9))
    ),
    examples=st.lists(examples, max_size=4).map(tuple),
    hints=st.dictionaries(st.sampled_from(["x", "y"]), st.integers(1, 9)),
)


def result(*found: AuditedService, **told: object) -> AuditResult:
    made = AuditResult("fraud", "the log", AT, None, AT, found, {}, (), 1.5)
    return AuditResult(**vars(made) | told)


def counted(**causes: int) -> AuditedService:
    told = {Cause[name].value: count for name, count in causes.items()}
    return AuditedService("one", sum(causes.values()), told, {}, {}, {}, ())


@given(services, services)
def test_two_accounts_add_up(one: AuditedService, other: AuditedService) -> None:
    both = one + other
    assert both.vectors == one.vectors + other.vectors
    for cause in {**one.causes, **other.causes}:
        assert both.causes[cause] == one.causes.get(cause, 0) + other.causes.get(cause, 0)
    for age, (total, wrong) in both.ages.items():
        pairs = [s.ages.get(age, (0, 0)) for s in (one, other)]
        assert (total, wrong) == (sum(p[0] for p in pairs), sum(p[1] for p in pairs))
    kept = [example.cause for example in both.examples]
    assert all(kept.count(cause) <= EXAMPLES for cause in kept)
    nothing = AuditedService.nothing("one") + one
    assert (nothing.causes, nothing.views, nothing.vectors) == (one.causes, one.views, one.vectors)


@given(services)
def test_what_is_kept_is_read_back(found: AuditedService) -> None:
    told = result(found, unchecked={"why": 3}, problems=("a day is missing",))
    assert AuditResult.from_json(told.as_json()) == told


@settings(max_examples=10)
@given(services)
def test_the_page_shows_every_cause_and_lets_nothing_through(found: AuditedService) -> None:
    told = result(found, use_case="<script>")
    page = audit_page(told, None)
    assert "<script>" not in page
    for cause in told.causes:
        assert MEANINGS[cause] in page


def test_the_newest_audit_counts(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    assert last_audit(lake, "fraud") is None
    later = result(counted(MATCH=1), at=AT.replace(day=13))
    for one in (later, result(counted(UNEXPLAINED=1))):
        write_audit(lake, one)
    assert last_audit(lake, "fraud") == later
    lake.write_bytes(write_audit(lake, later), b"{}")
    with pytest.raises(AuditError, match="is no audit"):
        last_audit(lake, "fraud")


@pytest.mark.parametrize(
    ("found", "share", "told"),
    [
        ({}, None, "nothing was compared"),
        ({"DEFINITION_VERSION": 5}, None, "nothing was compared"),
        ({"MATCH": 5}, 0.0, ""),
        ({"MATCH": 9, "LATE_EVENT": 1}, None, ""),
        ({"MATCH": 9, "LATE_EVENT": 1}, 0.1, ""),
        ({"MATCH": 9, "LATE_EVENT": 1}, 0.09, "10.00% of the vectors are stale, and 9.00% may be"),
        ({"MATCH": 9, "UNEXPLAINED": 1}, 1.0, "1 vectors differ without a cause"),
        ({"MATCH": 9, "NULL_POLICY": 2}, 1.0, "2 vectors have a fault"),
    ],
)
def test_what_may_not_be_released(found: dict[str, int], share: float | None, told: str) -> None:
    audit = result(counted(**found))
    assert audit.refusal(share) == told
    assert verdict(audit, share).startswith("not to be released: ") == bool(told)


def test_what_sql_says_otherwise_is_refused() -> None:
    example = SqlExample("r1", "2018-05-01T00:00:00+00:00", "v", "f", 1, 2)
    check = SqlCheck(5, 50, {"v__f": 2}, {"w: it is no table of windows": 5}, (example,))
    told = result(counted(MATCH=5), sql=check)
    assert told.refusal() == "2 values are not what SQL says of the raw events"
    assert AuditResult.from_json(json.loads(json.dumps(told.as_json()))) == told
    page = audit_page(told, None)
    assert "50 values of 5 vectors, 2 of them differ" in page
    assert "it is no table of windows" in page


def test_the_least_budget_of_the_services_counts() -> None:
    tags = [{}, {"max_stale_share": "0.3"}, {"max_stale_share": "0.2"}]
    made = [FeatureService(name=f"s{n}", features=[], tags=told) for n, told in enumerate(tags)]
    assert max_stale_share(made) == 0.2
    assert max_stale_share(made[:1]) is None


@pytest.mark.parametrize("text", ["1.5", "-0.1", "much", "nan"])
def test_a_budget_that_is_no_share_is_refused(text: str) -> None:
    service = FeatureService(name="s", features=[], tags={"max_stale_share": text})
    with pytest.raises(StaleBudgetError, match="max_stale_share of 's'"):
        max_stale_share([service])
