"""What Prometheus is told equals one observation a value, and one count a status."""

from __future__ import annotations

from collections import Counter
from itertools import count
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
NUMBERS = count()
FEATURES = tuple(
    PlannedFeature(name, view, "Float64", "")
    for name, view in (("a", "cards"), ("b", "cards"), ("c", "shops"))
)


def of_use_case(registry: CollectorRegistry, prefix: str, use_case: str) -> dict[str, float]:
    """Those of one use case."""
    shown = samples(registry, prefix).items()
    return {series: value for series, value in shown if f'use_case="{use_case}"' in series}


def samples(registry: CollectorRegistry, prefix: str) -> dict[str, float]:
    """What is shown, by series; not when it was first shown."""
    lines = generate_latest(registry).decode().splitlines()
    shown = (line.rpartition(" ") for line in lines if line.startswith(prefix))
    return {series: float(value) for series, _, value in shown if "_created" not in series}


@given(st.lists(st.floats(0, 10) | st.sampled_from(BOUNDS), max_size=40))
def test_many_at_once_are_what_one_by_one_would_be(values: list[float]) -> None:
    registry = CollectorRegistry()
    # Names of their own: where Feast was imported, equal names share their counts.
    many, each = (f"h{next(NUMBERS)}" for _ in range(2))
    _observe_all(Histogram(many, "h", buckets=BOUNDS, registry=registry), np.array(values))
    alone = Histogram(each, "h", buckets=BOUNDS, registry=registry)
    for value in values:
        alone.observe(value)
    found, expected = (
        {
            series.replace(name, "h"): value
            for series, value in samples(registry, f"{name}_").items()
        }
        for name in (many, each)
    )
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
    use_case = f"u{next(NUMBERS)}"
    metrics.scored(use_case, "champion", Scored(read, np.zeros(rows), {}), ["no"] * rows)
    expected = Counter(
        (FEATURES[column].name, STATUSES[code].value)
        for row in codes
        for column, code in enumerate(row)
        if STATUSES[code] != "PRESENT"
    )
    found = of_use_case(registry, "lockstep_feature_status_total", use_case)
    assert found == {
        "lockstep_feature_status_total"
        f'{{feature="{name}",status="{status}",use_case="{use_case}"}}': times
        for (name, status), times in expected.items()
    }
    assert of_use_case(registry, "lockstep_feature_values_total", use_case) == {
        f'lockstep_feature_values_total{{use_case="{use_case}"}}': 3 * rows
    }
    ages = of_use_case(registry, "lockstep_feature_age_seconds_count", use_case)
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
    shown = of_use_case(registry, "lockstep_model_info", "mine")
    return {series.split('version="')[1][0]: value for series, value in shown.items()}
