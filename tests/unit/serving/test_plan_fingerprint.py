"""What changes a fingerprint, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from feast.types import Float64
from small_service import DAY, FEATURES, SPEC, planned, request_view, typed, view, with_a_word_more

from serving.plan import ServicePlan

CHANGES: dict[str, Callable[[], ServicePlan]] = {
    "a window": lambda: planned(view(replace(SPEC, resolution="1h"))),
    "an aggregation's filter": lambda: planned(
        view(replace(SPEC, aggregations=(replace(SPEC.aggregations[0], where="ok"), SPEC.parts[1])))
    ),
    "the source of the windows": lambda: planned(view(replace(SPEC, source="bank/refunds"))),
    "ttl": lambda: planned(view(ttl=DAY)),
    "max age": lambda: planned(view(max_age=2 * DAY)),
    "a stored feature's type": lambda: planned(typed(view(), FEATURES[0], Float64)),
    "a computed feature's type": lambda: planned(computed=request_view(output=Float64)),
    "a request column's type": lambda: planned(computed=request_view(request=Float64)),
    "the function's text": lambda: planned(computed=request_view(with_a_word_more)),
    "what the function is handed": lambda: planned(computed=request_view(columns="numpy")),
    "the order of features": lambda: planned(features=FEATURES[::-1]),
    "a feature less": lambda: planned(features=FEATURES[:1]),
    "a policy": lambda: planned(tags={"on_stale": "reject"}),
    "a default": lambda: planned(tags={"on_null": "0"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_fingerprint_changes_with(what: str) -> None:
    assert CHANGES[what]().fingerprint != planned().fingerprint


def test_every_such_change_is_another_fingerprint() -> None:
    found = [planned().fingerprint, *(change().fingerprint for change in CHANGES.values())]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "same",
    [
        lambda: planned(),
        lambda: planned(view(description="Payments of a card.")),
        lambda: planned(computed=request_view(description="Twice the amount.")),
        lambda: planned(computed=request_view(team="risk")),
        lambda: planned(owner="risk", description="What the model reads."),
        lambda: planned(tags={"stage": "live"}),
        lambda: planned(project="others"),
    ],
)
def test_a_fingerprint_says_nothing_of_words_and_people(same: Callable[[], ServicePlan]) -> None:
    assert same().fingerprint == planned().fingerprint
