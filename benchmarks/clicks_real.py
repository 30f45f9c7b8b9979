"""The clicks of TalkingData's sample: `python -m benchmarks.clicks_real`; some two minutes.

The last quarter of the clicks by time is the test. Fitted on are the clicks whose attribution
window had closed before it begins. Features come through the platform: ingest, windows, Feast's
offline join. Intervals are a bootstrap of whole hours: the file has too few days.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.clicks_older import MODELS, older_features, older_names, older_scores
from benchmarks.timing import ROOT
from feature_repo.discovery import feast_objects
from feature_repo.store import open_feature_store
from feature_repo.windows.clicks import WINDOW_SPECS
from lockstep.contract.clicks import SCORED_EVENTS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.jobs.ingest.clicks import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.bootstrap import Days, Interval, by_day
from training.dataset import Dataset, join_features
from training.fit import FitParameters, matrix, pool, refitted
from training.leak import assert_fit_is_earlier
from training.metrics import average_precision, reliability, roc_auc, squared_errors
from training.operating_points import Floats, RankedScores
from training.use_case import LABEL, LABEL_KNOWN_AT, load_use_case

# Chosen on stretches of the file that end before the test begins.
PARAMETERS = FitParameters(depth=4, l2_leaf_reg=10.0)
SEEDS = 5
OURS = "CatBoost, clicks_v1"


def dataset(folder: Path) -> Dataset:
    """All clicks of the file whose label was ever known, with the features of the service."""
    settings = Settings(project_dir=folder, home=None)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "feature_repo", settings.feature_repo_dir, ignore=ignored)
    lake, use_case = Lake.at(settings.lake), load_use_case("clicks")
    file = Path(os.environ["LOCKSTEP_REAL_DATA"]) / "talkingdata_100k.csv"
    ingest(ingest_spec(), file, lake=lake, max_rejected_share=0.0)
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)
    store = open_feature_store(settings)
    store.apply(list(feast_objects("clicks").values()))
    rows = use_case.entity_rows(lake, lake.table(use_case.labels_table).coverage_end())
    names = {"feature_service": use_case.feature_service, "row_id": use_case.row_id}
    return join_features(store, rows, **names)


def split(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is fitted on, and the last quarter; in time order."""
    start = rows[EVENT_TIMESTAMP][len(rows) * 3 // 4]
    fit = rows.filter(pl.col(LABEL_KNOWN_AT) < start)
    test = rows.filter(pl.col(EVENT_TIMESTAMP) >= start)
    assert_fit_is_earlier(fit, test, row_id="click_id")
    return fit, test


def catboost_scores(
    fit: pl.DataFrame, test: pl.DataFrame, names: tuple[str, ...], seed: int
) -> Floats:
    """Those of one fit of 300 trees."""
    parameters = PARAMETERS.seeded(seed)
    task = load_use_case("clicks").task
    model = refitted(task, pool(fit, names, task), parameters, trees=parameters.iterations)
    return np.asarray(model.predict_proba(matrix(test, names))[:, 1])


def intervals(test: pl.DataFrame, scores: Mapping[str, Floats]) -> dict[str, Interval]:
    """AUC, average precision and Brier score of each model, and how far ours is ahead."""
    hours = test[EVENT_TIMESTAMP].dt.truncate("1h").to_physical().to_numpy()
    found, of_row = np.unique(hours, return_inverse=True)
    blocks = Days(of_row.astype(np.int64), len(found))
    labels = test[LABEL].to_numpy()
    ranked = {name: RankedScores(labels, column) for name, column in scores.items()}

    def metrics(of_blocks: Floats) -> dict[str, float]:
        weights = blocks.weights(of_blocks)
        told = {}
        for name, one in ranked.items():
            points = one.points(weights)
            told[f"{name}: AUC"] = roc_auc(points)
            told[f"{name}: AP"] = average_precision(points)
            errors = squared_errors(labels, scores[name])
            told[f"{name}: Brier"] = float(np.average(errors, weights=weights))
        for name in ranked:
            if name != OURS:
                told[f"ours - {name}: AUC"] = told[f"{OURS}: AUC"] - told[f"{name}: AUC"]
                told[f"ours - {name}: AP"] = told[f"{OURS}: AP"] - told[f"{name}: AP"]
        return told

    return by_day(metrics, blocks.count)


def main() -> None:
    """Prints the protocol and every figure."""
    with tempfile.TemporaryDirectory(prefix="lockstep-clicks-") as folder:
        found = dataset(Path(folder))
    fit, test = split(older_features(found.rows))
    names, older = found.feature_order, tuple(older_names())
    labels = fit[LABEL].to_numpy()
    by_seed = [catboost_scores(fit, test, names, seed) for seed in range(SEEDS)]
    # An id is no number, and the model that is served reads none: what they would add here.
    with_ids = catboost_scores(fit, test, (*names, *SCORED_EVENTS.entity_keys), 0)
    scores = {OURS: by_seed[0], "CatBoost, clicks_v1 and ids": with_ids}
    peers = {
        "older features": older,
        "older features and ids": (*older, *SCORED_EVENTS.entity_keys),
        "clicks_v1": names,
    }
    for model in MODELS:
        for what, columns in peers.items():
            scores[f"{model}, {what}"] = older_scores(
                model, matrix(fit, columns), labels, matrix(test, columns)
            )
    scores["the share of the fit"] = np.full(len(test), labels.mean())
    _report(fit, test, by_seed, scores)


def _report(
    fit: pl.DataFrame, test: pl.DataFrame, by_seed: list[Floats], scores: Mapping[str, Floats]
) -> None:
    write = sys.stdout.write
    for name, rows in (("fit", fit), ("test", test)):
        first, last = rows[EVENT_TIMESTAMP].min(), rows[EVENT_TIMESTAMP].max()
        write(f"{name}: {len(rows):,} clicks, {rows[LABEL].sum()} positives, {first} to {last}\n")
    for name, interval in intervals(test, scores).items():
        write(f"{name:45} {interval.value:.5f} [{interval.low:.5f}, {interval.high:.5f}]\n")
    test_labels = test[LABEL].to_numpy()
    for seed, one in enumerate(by_seed):
        points = RankedScores(test_labels, one).points()
        write(f"seed {seed}: AUC {roc_auc(points):.4f}, AP {average_precision(points):.4f}\n")
    for mean, share, count in reliability(test_labels, by_seed[0]):
        write(f"scores of mean {mean:.4f}: {share:.4f} positive of {count:,}\n")
    write(f"expected {by_seed[0].sum():.1f} downloads, there were {test_labels.sum()}\n")


if __name__ == "__main__":
    main()
