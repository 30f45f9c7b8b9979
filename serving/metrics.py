"""What Prometheus is told: counts, latencies and what the models do. No label is unbounded."""

from __future__ import annotations

import asyncio
from collections import Counter as Counted
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from lockstep.contract.registered_model import RegisteredModel
from lockstep.contract.status import FeatureStatus
from lockstep.stores.feature_vectors import STATUSES
from serving.feature_log import FeatureLog
from serving.rows import Read, Scored

# Around the goals: 10 ms for a request, 30 for a thousand rows.
LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)
_PART_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0)
_AGE_SECONDS = (1, 10, 60, 600, 3600, 7200, 21_600, 86_400, 172_800, 604_800)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
# Another worker's scrape sees what is older than that.
_COUNT_SECONDS = 0.2
# Probabilities; and decades, for what is estimated.
_SCORES = (*(n / 20 for n in range(1, 21)), *(10.0**n for n in range(1, 10)))

_PRESENT = STATUSES.index(FeatureStatus.PRESENT)

Timer = Callable[[float, float], None]


class Metrics:
    """The metrics of one process, in `registry`; for one thread, that of the event loop.

    What was scored is counted now and then, and before it is shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        def histogram(
            name: str, text: str, labels: Sequence[str], buckets: Sequence[float]
        ) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=registry)

        self._status = Counter(
            "lockstep_feature_status",
            "Served values whose status is not PRESENT.",
            ["use_case", "feature", "status"],
            registry=registry,
        )
        self._values = Counter(
            "lockstep_feature_values", "Served values.", ["use_case"], registry=registry
        )
        self._age = histogram(
            "lockstep_feature_age_seconds",
            "How far T is past a view's horizon.",
            ["use_case", "view"],
            _AGE_SECONDS,
        )
        self._redis = histogram(
            "lockstep_redis_seconds", "One batch read from Redis.", ["use_case"], _PART_SECONDS
        )
        self._model = histogram(
            "lockstep_model_seconds",
            "On-demand functions and model, for one batch.",
            ["use_case"],
            _PART_SECONDS,
        )
        self._score = histogram("lockstep_score", "Scores.", ["use_case", "alias"], _SCORES)
        self._decision = Counter(
            "lockstep_decisions",
            "Decisions, and rows that were rejected.",
            ["use_case", "alias", "decision"],
            registry=registry,
        )
        self._info = Gauge(
            "lockstep_model_info",
            "1 for the models that are loaded.",
            ["use_case", "alias", "version", "feature_service", "fingerprint"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._refused = Gauge(
            "lockstep_models_refused",
            "Versions with an alias that may not serve: GET /v1/models says why.",
            ["use_case"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._limit = Gauge(
            "lockstep_decision_share_limit",
            "The share of a decision above which something is wrong, as the use case declares it.",
            ["use_case", "decision"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.batch_rows = histogram(
            "lockstep_batch_rows", "Requests that were scored together.", ["use_case"], _ROWS
        )
        self.shadow_skipped = Counter(
            "lockstep_shadow_skipped",
            "Rows that the challenger did not score, since it was busy.",
            ["use_case"],
            registry=registry,
        )
        self._loaded: dict[tuple[str, str], tuple[str, ...]] = {}
        self._batches: list[tuple[str, str, Scored, Sequence[str | None]]] = []
        self._seconds: dict[str, list[tuple[float, float]]] = {}

    def declare(self, use_case: str, decision_limits: Mapping[str, float]) -> None:
        """Shows what the use case declares, so that alerts need no number of their own."""
        for decision, share in decision_limits.items():
            self._limit.labels(use_case, decision).set(share)

    def refused(self, use_case: str, versions: int) -> None:
        """Says how many versions are refused now."""
        self._refused.labels(use_case).set(versions)

    def timed(self, use_case: str) -> Timer:
        """Takes the seconds of Redis and those of the model of one batch."""
        seconds = self._seconds.setdefault(use_case, [])
        return lambda redis_seconds, model_seconds: seconds.append((redis_seconds, model_seconds))

    def watch(self, log: FeatureLog) -> None:
        """Shows the counts of the feature log."""
        rows = Gauge(
            "lockstep_feature_log_rows",
            "Rows of the feature log: waiting now; written, dropped and skipped so far.",
            ["state"],
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        for state in ("queued", "written", "dropped", "skipped"):
            rows.labels(state).set_function(partial(getattr, log, state))

    def loaded(self, use_case: str, alias: str, served: RegisteredModel | None) -> None:
        """Says which model has the alias now; None for none."""
        before = self._loaded.pop((use_case, alias), None)
        if before is not None:
            self._info.labels(*before).set(0)
        if served is not None:
            artefact = served.predictor.artefact
            about = (str(served.version), artefact.feature_service, artefact.fingerprint)
            self._loaded[use_case, alias] = labels = (use_case, alias, *about)
            self._info.labels(*labels).set(1)

    def scored(
        self, use_case: str, alias: str, scored: Scored, decisions: Sequence[str | None]
    ) -> None:
        """Takes one batch; it is counted by `count`."""
        self._batches.append((use_case, alias, scored, decisions))

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[None]:
        """Counts now and then while the block runs, and at its end."""

        async def count() -> None:
            while True:
                await asyncio.sleep(_COUNT_SECONDS)
                self.count()

        task = asyncio.create_task(count())
        try:
            yield
        finally:
            task.cancel()
            self.count()

    def count(self) -> None:
        """Counts what was taken since: many batches cost little more than one, which is 27 us."""
        for use_case, seconds in self._seconds.items():
            taken = np.array(seconds).reshape(-1, 2)
            seconds.clear()
            _observe_all(self._redis.labels(use_case), taken[:, 0])
            _observe_all(self._model.labels(use_case), taken[:, 1])
        batches, self._batches = self._batches, []
        alike: dict[tuple[str, str, int], list[tuple[Scored, Sequence[str | None]]]] = {}
        for use_case, alias, scored, decisions in batches:
            # Batches of one model share the features that its plan lists.
            key = use_case, alias, id(scored.read.features)
            alike.setdefault(key, []).append((scored, decisions))
        for (use_case, alias, _), found in alike.items():
            self._count_scores(use_case, alias, found)
            if alias == "champion":
                self._count_features(use_case, [scored.read for scored, _ in found])

    def _count_scores(
        self, use_case: str, alias: str, found: Sequence[tuple[Scored, Sequence[str | None]]]
    ) -> None:
        scores = np.concatenate([scored.scores for scored, _ in found])
        _observe_all(self._score.labels(use_case, alias), scores)
        decided = Counted(decision for _, decisions in found for decision in decisions)
        del decided[None]
        for decision, count in decided.items():
            self._decision.labels(use_case, alias, decision).inc(count)

    def _count_features(self, use_case: str, reads: Sequence[Read]) -> None:
        features = reads[0].features
        codes = np.concatenate([read.codes for read in reads])
        self._values.labels(use_case).inc(codes.size)
        # A number for each pair of a feature and a status.
        pairs = (np.arange(len(features)) * len(STATUSES) + codes)[codes != _PRESENT]
        for pair, count in enumerate(np.bincount(pairs).tolist()):
            if count:
                column, code = divmod(pair, len(STATUSES))
                self._status.labels(use_case, features[column].name, STATUSES[code]).inc(count)
        views: dict[str, int] = {}
        for column, feature in enumerate(features):
            views.setdefault(feature.view, column)
        ages = np.concatenate([read.ages.take(list(views.values()), axis=1) for read in reads])
        for view, seconds in zip(views, ages.T, strict=True):
            _observe_all(self._age.labels(use_case, view), seconds)


def _observe_all(histogram: Histogram, values: NDArray[np.float64]) -> None:
    """As `observe` for each value; of a batch of 1,000 rows that took 2 ms, this takes .05.

    Reaches into the histogram: prometheus_client takes one value at a time. What is no number,
    such as a challenger's score that came to nothing, is left out.
    """
    values = values[~np.isnan(values)]
    bounds, buckets = histogram._upper_bounds, histogram._buckets
    places, counts = np.unique(np.searchsorted(bounds, values), return_counts=True)
    for place, count in zip(places.tolist(), counts.tolist(), strict=True):
        buckets[place].inc(count)
    histogram._sum.inc(float(values.sum()))
