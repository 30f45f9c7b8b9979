"""What Prometheus is told equals one observation a value, and one count a status."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from lockstep.stores.feature_vectors import STATUSES
from serving.metrics import Metrics, _observe_all
from serving.plan import PlannedFeature
from serving.scorer import Read, Scored

BOUNDS = (0.1, 0.5, 2.0)
FEATURES = tuple(
    PlannedFeature(name, view, "Float64", "")
    for name, view in (("a", "cards"), ("b", "cards"), ("c", "shops"))
)


def samples(registry: CollectorRegistry, prefix: str) -> dict[str, float]:
    """What is shown, by series; not when it was first shown."""
    lines = generate_latest(registry).decode().splitlines()
    shown = (line.rpartition(" ") for line in lines if line.startswith(prefix))
    return {series: float(value) for series, _, value in shown if "_created" not in series}


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


@given(
    st.lists(
        st.lists(st.integers(0, len(STATUSES) - 1), min_size=3, max_size=3), min_size=1, max_size=9
    )
)
def test_every_status_but_present_is_counted(codes: list[list[int]]) -> None:
    registry = CollectorRegistry()
    metrics, rows = Metrics(registry), len(codes)
    read = Read(FEATURES, np.zeros((rows, 3)), np.array(codes, np.uint8), np.full((rows, 3), 5.0))
    metrics.scored("u", "champion", Scored(read, np.zeros(rows), {}), ["no"] * rows)
    expected = Counter(
        (FEATURES[column].name, STATUSES[code].value)
        for row in codes
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
    ages = samples(registry, "lockstep_feature_age_seconds_count")
    assert sorted(ages.values()) == [rows, rows]


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
