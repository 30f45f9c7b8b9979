"""The share of requests that is logged: of each all or nothing."""

from __future__ import annotations

from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served_batches import ids, logged, requests, served
from test_feature_log import CLOSE_SECONDS

from lockstep.lake.lake import Lake
from serving.feature_log import FeatureLog
from serving.served_rows import is_sampled

IDS = st.lists(st.text(max_size=8), unique=True, max_size=30)


@settings(max_examples=25)
@given(request_ids=IDS, share=st.floats(0, 1), cut=st.integers(0, 30))
def test_of_a_request_all_is_logged_or_nothing(
    request_ids: list[str], share: float, cut: int
) -> None:
    """Features and prediction, champion and challenger, whatever their batches."""
    with TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        log = FeatureLog(lake, share=share, flush_seconds=60)
        rows = requests(*request_ids)
        log.put(served(rows))
        for part in (rows[:cut], rows[cut:]):
            log.put(served(part, alias="challenger"))
        log.close(CLOSE_SECONDS)
        chosen = sorted(id for id in request_ids if is_sampled(id, share))
        assert ids(lake, "features") == chosen
        assert ids(lake, "predictions") == sorted([*chosen, *chosen])
        assert log.written == 2 * len(chosen)
        assert log.skipped == 2 * (len(request_ids) - len(chosen))
        if chosen:
            by_id = {row["request_id"]: row["score"] for row in _champions(lake)}
            assert by_id == {row.id: row.number / 7 for row in rows if row.id in chosen}


def _champions(lake: Lake) -> list[dict[str, object]]:
    rows = logged(lake, "predictions").to_dicts()
    return [row for row in rows if row["alias"] == "champion"]


@given(id=st.text(), one=st.floats(0, 1), other=st.floats(0, 1))
def test_a_greater_share_always_has_the_requests_of_a_smaller_one(
    id: str, one: float, other: float
) -> None:
    smaller, greater = sorted([one, other])
    assert is_sampled(id, smaller) <= is_sampled(id, greater)
    assert is_sampled(id, 1.0)
    assert not is_sampled(id, 0.0)


@pytest.mark.parametrize("name", ["{}", "{:032x}", "request-{}", "{:08}"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_is_that_of_ids_that_are_counted_up(name: str, share: float) -> None:
    chosen = sum(is_sampled(name.format(number), share) for number in range(100_000))
    assert chosen == pytest.approx(100_000 * share, rel=0.1)
