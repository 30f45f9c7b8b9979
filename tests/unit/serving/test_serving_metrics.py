"""What Prometheus is told equals one observation a value, and one count a status."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from lockstep.contract.status import FeatureStatus
from lockstep.stores.feature_vectors import STATUSES
from serving.metrics import Metrics, _observe_all
from serving.plan import PlannedFeature
from serving.rows import Read, Scored

BOUNDS = (0.1, 0.5, 2.0)
FEATURES = tuple(
    PlannedFeature(name, view, "Float64", "")
    for name, view in (("a", "cards"), ("b", "cards"), ("c", "shops"))
)


BATCHES = st.lists(
    st.lists(
        st.lists(st.integers(0, len(STATUSES) - 1), min_size=3, max_size=3), min_size=1, max_size=9
    ),
    min_size=1,
    max_size=6,
)


def scored_with(codes: list[list[int]]) -> Scored:
    """Rows with these statuses; the age of every value is five seconds."""
    rows = len(codes)
    values, ages = np.zeros((rows, 3)), np.full((rows, 3), 5.0)
    read = Read(FEATURES, values, np.array(codes, np.uint8), ages, np.zeros((rows, 3), np.int64))
    return scored_as(read)


def scored_as(read: Read) -> Scored:
    """Rows that all have score 0."""
    rows = len(read.values)
    return Scored(read, np.zeros((rows, 1)), np.zeros(rows), np.zeros(rows, np.int64), {})


def samples(registry: CollectorRegistry, prefix: str) -> dict[str, float]:
    """What is shown, by series; not when it was first shown."""
    lines = generate_latest(registry).decode().splitlines()
    shown = (line.rpartition(" ") for line in lines if line.startswith(prefix))
    return {series: float(value) for series, _, value in shown if "_created" not in series}


def test_what_is_no_number_is_left_out() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("h", "h", buckets=BOUNDS, registry=registry)
    _observe_all(histogram, np.array([0.2, np.nan, 9.0]))
    found = samples(registry, "h_")
    assert found["h_sum"] == 9.2
    assert found["h_count"] == 2


@given(st.lists(st.floats(0, 10) | st.sampled_from(BOUNDS), max_size=40))
def test_many_at_once_are_what_one_by_one_would_be(values: list[float]) -> None:
    together, apart = CollectorRegistry(), CollectorRegistry()
    _observe_all(Histogram("h", "h", buckets=BOUNDS, registry=together), np.array(values))
    alone = Histogram("h", "h", buckets=BOUNDS, registry=apart)
    for value in values:
        alone.observe(value)
    found, expected = samples(together, "h_"), samples(apart, "h_")
    np.testing.assert_allclose(found.pop("h_sum"), expected.pop("h_sum"))
    assert found == expected


@given(BATCHES, st.lists(st.booleans(), max_size=6))
def test_every_status_but_present_is_counted(codes: list[list[list[int]]], now: list[bool]) -> None:
    """Whether batches are counted one by one or together."""
    registry = CollectorRegistry()
    metrics, rows = Metrics(registry), sum(map(len, codes))
    for batch, count_now in zip_longest(codes, now[: len(codes)], fillvalue=False):
        metrics.scored("u", "champion", scored_with(batch), ["no"] * len(batch))
        # What nobody was answered with counts no status.
        metrics.scored("u", "challenger", scored_with(batch), ["yes"] * len(batch))
        if count_now:
            metrics.count()
    metrics.count()
    metrics.count()
    expected = Counter(
        (FEATURES[column].name, STATUSES[code].value)
        for batch in codes
        for row in batch
        for column, code in enumerate(row)
        if STATUSES[code] != "PRESENT"
    )
    found = samples(registry, "lockstep_feature_status_total")
    assert found == {
        f'lockstep_feature_status_total{{feature="{name}",status="{status}",use_case="u"}}': times
        for (name, status), times in expected.items()
    }
    assert samples(registry, "lockstep_feature_values_total") == {
        'lockstep_feature_values_total{use_case="u"}': 3 * rows
    }
    for name, series in [("feature_age_seconds_count", 2), ("score_count", 2)]:
        assert [*samples(registry, f"lockstep_{name}").values()] == [rows] * series
    decided = samples(registry, "lockstep_decisions_total").values()
    assert [*decided] == [rows, rows]


def test_models_with_other_features_are_counted_apart() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for features in (FEATURES, FEATURES[1:]):
        shape = (2, len(features))
        codes = np.full(shape, STATUSES.index(FeatureStatus.NULL), np.uint8)
        events = np.zeros(shape, np.int64)
        read = Read(features, np.zeros(shape), codes, np.zeros(shape), events)
        metrics.scored("u", "champion", scored_as(read), ["no"] * 2)
    metrics.count()
    found = samples(registry, "lockstep_feature_status_total")
    shown = {series.split('feature="')[1][0]: times for series, times in found.items()}
    assert shown == {"a": 2, "b": 4, "c": 4}


def test_the_seconds_of_every_batch_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    first, second = metrics.timed("u"), metrics.timed("u")
    first(0.25, 0.5)
    metrics.count()
    second(0.25, 0.5)
    metrics.count()
    sums = {"redis": 0.5, "model": 1.0}
    for name, total in sums.items():
        found = samples(registry, f"lockstep_{name}_seconds")
        assert found[f'lockstep_{name}_seconds_count{{use_case="u"}}'] == 2
        assert found[f'lockstep_{name}_seconds_sum{{use_case="u"}}'] == total


def test_a_model_that_lost_its_alias_is_not_shown_as_loaded() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    def model(version: int) -> Any:
        artefact = SimpleNamespace(feature_service="s", fingerprint="f")
        return SimpleNamespace(version=version, predictor=SimpleNamespace(artefact=artefact))

    metrics.loaded("mine", "challenger", model(1))
    metrics.loaded("mine", "challenger", model(2))
    assert _loaded(registry) == {"1": 0.0, "2": 1.0}
    metrics.loaded("mine", "challenger", None)
    assert _loaded(registry) == {"1": 0.0, "2": 0.0}


def _loaded(registry: CollectorRegistry) -> dict[str, float]:
    shown = samples(registry, "lockstep_model_info")
    return {series.split('version="')[1][0]: value for series, value in shown.items()}


def test_what_is_declared_and_refused_is_shown_by_use_case() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.declare("fraud", {"block": 0.2})
    metrics.refused("fraud", 2)
    metrics.refused("clicks", 0)
    assert samples(registry, "lockstep_decision_share_limit") == {
        'lockstep_decision_share_limit{decision="block",use_case="fraud"}': 0.2
    }
    assert samples(registry, "lockstep_models_refused") == {
        'lockstep_models_refused{use_case="fraud"}': 2,
        'lockstep_models_refused{use_case="clicks"}': 0,
    }
