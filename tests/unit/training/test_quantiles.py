"""Metrics of quantiles equal scikit-learn's; CatBoost's own loss is the one that is told."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from lockstep.contract.targets import ClassTarget, QuantileTarget
from training.errors import TrainingError
from training.fit import FitParameters, boosted, matrix, pool
from training.tasks.quantiles import Quantiles, ScoredQuantiles
from training.use_case import UseCase

TASK = Quantiles("roubles", (0.1, 0.5, 0.9), baseline="rule")
USE_CASE = UseCase(
    name="toy",
    feature_service="toy_v1",
    row_id="id",
    labels_table="toy/prices",
    entity_rows=lambda lake, as_of, since=None: pl.DataFrame(),
    task=TASK,
    slices={"small": pl.col("label") < 50},
)
START = datetime(2024, 1, 1, tzinfo=UTC)
_ROWS = st.lists(
    st.tuples(*[st.integers(1, 100)] * 4, st.none() | st.integers(1, 100)), min_size=2, max_size=40
)


def scored(rows: list[tuple[int | None, ...]]) -> ScoredQuantiles:
    labels, *columns = zip(*rows, strict=True)
    frame = pl.DataFrame(
        {
            "event_timestamp": [START + timedelta(hours=n) for n in range(len(labels))],
            "label": labels,
            "rule": pl.Series(columns[3], dtype=pl.Float64),
        }
    )
    outputs = np.sort(np.column_stack([np.array(c, np.float64) for c in columns[:3]]), axis=1)
    return TASK.scored(frame, outputs, TASK.undecided, USE_CASE)


@given(_ROWS)
def test_errors_and_coverage(rows: list[tuple[int | None, ...]]) -> None:
    one = scored(rows)
    labels, low, estimate, high = one.labels, *one.outputs.T
    found = one.own_metrics(np.ones(len(rows)))
    assert found["mae_roubles"] == pytest.approx(reference.mean_absolute_error(labels, estimate))
    mape = reference.mean_absolute_percentage_error(labels, estimate)
    assert found["mape"] == pytest.approx(mape)
    if len(set(labels)) > 1:
        assert found["r2"] == pytest.approx(reference.r2_score(labels, estimate))
    else:
        assert np.isnan(found["r2"])
    losses = [
        reference.mean_pinball_loss(np.log(labels), np.log(column), alpha=level)
        for column, level in zip((low, estimate, high), TASK.levels, strict=True)
    ]
    assert found["pinball_loss"] == pytest.approx(np.mean(losses))
    covered = np.mean((low <= labels) & (labels <= high))
    assert found["coverage"] == pytest.approx(covered)
    assert found["coverage_gap"] == pytest.approx(abs(covered - 0.8))
    errors = np.sort(np.abs(estimate / labels - 1))
    assert found["median_ape"] == errors[(len(errors) - 1) // 2]


@given(_ROWS)
def test_the_baseline_is_compared_where_it_knows_something(
    rows: list[tuple[int | None, ...]],
) -> None:
    found = scored(rows).own_metrics(np.ones(len(rows)))
    known = [row for row in rows if row[4] is not None]
    assert found["baseline_known_share"] == pytest.approx(len(known) / len(rows)) or not known
    if known:
        theirs = np.mean([abs(row[4] / row[0] - 1) for row in known])  # type: ignore[operator]
        ours = scored(known).own_metrics(np.ones(len(known)))["mape"]
        assert found["baseline_mape"] == pytest.approx(theirs)
        assert found["mape_below_baseline"] == pytest.approx(theirs - ours)
    else:
        assert np.isnan(found["mape_below_baseline"])


def test_the_worth_is_what_catboost_looks_at() -> None:
    random = np.random.default_rng(0)
    feature = random.normal(size=400)
    rows = pl.DataFrame({"label": np.exp(feature + random.normal(size=400)), "feature": feature})
    pools = (pool(part, ("feature",), TASK) for part in (rows[:300], rows[300:]))
    parameters = FitParameters(iterations=20, early_stopping_rounds=None)
    model, curve = boosted(TASK, *pools, parameters, lambda done, best: True)  # type: ignore[arg-type, call-arg]  # two pools
    outputs = TASK.undecided.outputs(model, matrix(rows[300:], ("feature",)), threads=1)
    worth = TASK.worth(TASK.labels(rows[300:]), outputs)
    # CatBoost's quantiles may cross, and are sorted for a caller: that is no worse.
    assert curve[-1] - 1e-3 < worth < curve[-1] + 0.02
    assert curve[-1] > curve[0]


@given(_ROWS)
def test_the_range_is_the_least_that_covers_enough_of_validation(
    rows: list[tuple[int | None, ...]],
) -> None:
    one = scored(rows)
    target = TASK.target(one.rows, one.outputs)
    assert isinstance(target, QuantileTarget)

    def covered(margin: float) -> float:
        read = np.log(one.outputs)
        low, high = read[:, 0] - margin, read[:, -1] + margin
        labels = np.log(one.labels)
        return float(np.mean((low - 1e-9 <= labels) & (labels <= high + 1e-9)))

    # Of n rows and one that is to come, so many.
    wanted = min(math.ceil(0.8 * (len(rows) + 1) - 1e-9) / len(rows), 1.0)
    assert covered(target.margin - 1e-6) < wanted <= covered(target.margin)


def test_slices_say_how_far_off_estimates_are() -> None:
    (small,) = scored([(10, 9, 11, 12, None), (20, 30, 30, 40, None), (80, 80, 80, 80, 1)]).slices()
    assert (small.name, small.rows, small.support) == ("small", 2, 2)
    assert small.worth == pytest.approx(-(0.1 + 0.5) / 2)


def test_labels_without_a_logarithm_and_models_of_classes_are_refused() -> None:
    with pytest.raises(TrainingError, match="of the train rows 1 have a label that is not above"):
        TASK.check_fold("train", pl.DataFrame({"label": [5, 0]}))
    with pytest.raises(TrainingError, match="something else than the quantiles"):
        TASK.scored(pl.DataFrame({"label": [5]}), np.ones((1, 1)), ClassTarget(0.5), USE_CASE)
