"""Profiles and distances, against their definitions over the rows themselves."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from feature_repo.definitions.fraud import fraud_v1, transaction_features
from feature_repo.discovery import feature_views
from lockstep.parity.drift.limits import DriftLimits, volume_limit
from lockstep.parity.drift.page import drift_verdict
from lockstep.parity.drift.profile import Profile
from lockstep.parity.drift.reference import Reference
from lockstep.parity.drift.result import Drift, DriftResult
from lockstep.parity.errors import DriftError
from lockstep.stores.fingerprint import service_fingerprint

LIMITS = DriftLimits.of_tags("v", {})
numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 2.0]) | st.just(float("nan"))
samples = st.lists(numbers, max_size=80)


def drift(before: object, after: object, limits: DriftLimits = LIMITS) -> Drift:
    reference = Profile.of(before, least_rows=0)
    return Drift("f", "v", reference, Profile.of(after, reference.edges), limits, {})


def normal(rows: int, mean: float = 0.0, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(mean, 1.0, rows)


@given(samples, samples)
def test_a_profile_always_counts_every_row_once(before: list[float], after: list[float]) -> None:
    reference = Profile.of(before, least_rows=0)
    now = Profile.of(after, reference.edges)
    for profile, values in ((reference, before), (now, after)):
        present = [value for value in values if value == value]
        assert (profile.rows, profile.nulls) == (len(values), len(values) - len(present))
        for n, edge in enumerate(profile.edges):
            assert sum(profile.counts[: n + 1]) == sum(value <= edge for value in present)


@given(samples.filter(bool), samples.filter(bool))
def test_no_distance_is_ever_below_zero_nor_above_zero_of_the_same(
    before: list[float], after: list[float]
) -> None:
    both = drift(before, after)
    assert both.psi >= 0
    assert 0 <= both.ks <= 1
    same = drift(before, before)
    assert (same.psi, same.ks) == (0, 0)


@given(st.integers(0, 10**6), st.floats(-2, 2), st.floats(0.5, 2))
@settings(max_examples=40)
def test_the_distance_is_never_far_from_that_of_the_rows(
    seed: int, mean: float, scale: float
) -> None:
    before = np.random.default_rng(seed).normal(0, 1, 2_000)
    after = np.random.default_rng(seed + 1).normal(mean, scale, 3_000)
    every = np.concatenate([before, after])
    shares = [np.searchsorted(np.sort(s), every, side="right") / len(s) for s in (before, after)]
    exact = float(np.max(np.abs(shares[0] - shares[1])))
    found = drift(before, after).ks
    assert found <= exact + 1e-12
    # What lies between two edges: a fiftieth of each at most where they are alike.
    assert found == pytest.approx(exact, abs=0.06)


def test_the_index_is_that_of_the_shares() -> None:
    """By hand: four values with shares .4 .3 .2 .1, and .1 .2 .3 .4 of them later."""
    before = np.repeat([1.0, 2.0, 3.0, 4.0], [400, 300, 200, 100])
    after = np.repeat([1.0, 2.0, 3.0, 4.0], [100, 200, 300, 400])
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])
    found = drift(before, after)
    assert found.psi == pytest.approx(np.sum((q - p) * np.log(q / p)), rel=1e-12)
    assert found.ks == pytest.approx(0.4)


def test_two_samples_of_one_distribution_are_no_drift_and_a_moved_one_is() -> None:
    assert drift(normal(5_000), normal(5_000, seed=2)).exceeded == []
    moved = drift(normal(5_000), normal(5_000, mean=0.7, seed=2))
    assert [told.split()[0] for told in moved.exceeded] == ["PSI", "KS"]


@pytest.mark.parametrize("value", [6.9, 7.1, -1e9, 1e9])
def test_a_constant_that_moves_is_a_drift_either_way(value: float) -> None:
    found = drift(np.full(1_000, 7.0), np.full(1_000, value))
    assert [told.split()[0] for told in found.exceeded] == ["PSI", "KS"]
    assert drift(np.full(1_000, 7.0), np.full(1_000, 7.0)).exceeded == []


def test_nulls_are_told_from_values_that_move() -> None:
    values = normal(4_000)
    some = values.copy()
    some[::10] = np.nan
    found = drift(values, some)
    assert found.now.null_share == pytest.approx(0.1)
    assert [told.split()[0] for told in found.exceeded] == ["PSI", "nulls"]
    assert drift(np.full(1_000, np.nan), np.full(1_000, np.nan)).exceeded == []
    assert drift(np.full(1_000, np.nan), normal(1_000)).exceeded[-1].startswith("nulls 1.000")


def test_too_few_rows_are_not_judged() -> None:
    for before, after in ((normal(499), normal(5_000, 9)), (normal(5_000), normal(499, 9))):
        found = drift(before, after)
        assert (found.is_judged, found.exceeded) == (False, [])
    assert drift(normal(500), normal(500, 9)).exceeded
    assert drift(normal(500), []).psi == 0


def test_limits_are_those_of_the_tags() -> None:
    tags = {"drift_psi": "0.1", "drift_ks": "off", "owner": "me"}
    assert DriftLimits.of_tags("v", tags) == DriftLimits(0.1, None, LIMITS.nulls)
    moved = drift(normal(5_000), normal(5_000, 5.0), DriftLimits(None, None, None))
    assert moved.exceeded == []


@pytest.mark.parametrize("text", ["0", "-1", "much", "nan", ""])
def test_a_tag_that_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(DriftError, match="drift_ks"):
        DriftLimits.of_tags("v", {"drift_ks": text})


def looked(rows_a_day: float, tags: dict[str, str]) -> DriftResult:
    now = datetime(2018, 9, 1, tzinfo=UTC)
    return DriftResult(
        use_case="fraud",
        service="s",
        version=1,
        at=now,
        first=now,
        last=now,
        drifts=(),
        rows=500,
        looked_at=500,
        rows_a_day=(300.0, rows_a_day),
        stale_share=0.0,
        max_stale_share=None,
        max_volume=volume_limit("s", tags),
    )


@pytest.mark.parametrize(
    ("rows_a_day", "told"),
    [
        (99.0, "99 rows a day, and 300 at training: more than 3 times fewer"),
        (100.0, ""),
        (300.0, ""),
        (900.0, ""),
        (901.0, "901 rows a day, and 300 at training: more than 3 times more"),
    ],
)
def test_more_or_fewer_rows_than_the_service_allows_are_a_drift(
    rows_a_day: float, told: str
) -> None:
    found = looked(rows_a_day, {"drift_volume": "3"})
    assert found.has_drifted == bool(told)
    assert drift_verdict(found) == (told or "none of 0 has drifted")
    assert DriftResult.from_json(json.loads(json.dumps(found.as_json()))) == found
    for unlimited in ({}, {"drift_volume": "off"}):
        assert not looked(rows_a_day, unlimited).has_drifted


@pytest.mark.parametrize("text", ["1", "0.5", "0", "many", "nan"])
def test_a_volume_that_is_no_factor_is_refused(text: str) -> None:
    with pytest.raises(DriftError, match="drift_volume"):
        volume_limit("s", {"drift_volume": text})


@given(samples, samples)
def test_a_reference_is_always_what_was_kept(first: list[float], second: list[float]) -> None:
    features = {"a": Profile.of(first, least_rows=0), "b": Profile.of([])}
    made = Reference(features, Profile.of(second), 3.5)
    assert Reference.from_json(json.loads(json.dumps(made.as_json()))) == made


@given(st.lists(st.integers(-9, 9) | st.integers(-(10**6), 10**6), min_size=500, max_size=600))
@settings(max_examples=40)
def test_no_edge_is_ever_the_value_of_a_few_at_either_end(values: list[int]) -> None:
    edges = Profile.of(values).edges
    assert sum(value <= edges[1] for value in values) >= len(values) / 50
    assert sum(value >= edges[-1] for value in values) >= len(values) / 50
    assert Profile.of(values[:499]).edges == ()


def test_few_values_among_many_nulls_are_not_judged() -> None:
    few = [float("nan")] * 1_000 + [1.0] * 499
    found = Drift("f", "v", Profile.of(few), Profile.of(few, ()), LIMITS, {})
    assert (found.is_judged, found.exceeded) == (False, [])


def test_a_limit_is_no_part_of_what_a_feature_means() -> None:
    """Else a narrower limit would make every model that is served one of other definitions."""
    service, views = fraud_v1, {view.name: view for view in feature_views("fraud")}
    views |= {view.name: view for view in (transaction_features,)}
    before = service_fingerprint(service, views.__getitem__)
    with pytest.MonkeyPatch.context() as patch:
        limits = {"drift_psi": "0.1", "drift_ks": "off", "drift_nulls": "0.5"}
        patch.setattr(views["customer_windows"], "tags", views["customer_windows"].tags | limits)
        assert service_fingerprint(service, views.__getitem__) == before
        patch.setattr(service, "tags", (service.tags or {}) | {"drift_volume": "3"})
        assert service_fingerprint(service, views.__getitem__) == before
        patch.setattr(views["customer_windows"], "tags", {})
        assert service_fingerprint(service, views.__getitem__) != before
