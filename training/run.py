"""One training from the lake to the registry, step by step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lockstep.contract.predictor import Predictor
from lockstep.contract.scored_events import ScoredEvents
from lockstep.lake.lake import Lake
from lockstep.parity.erasure.receipt import erased_since
from lockstep.settings import Settings
from lockstep.use_cases import load_use_case
from training.bootstrap import Interval
from training.dataset import Dataset, join_features
from training.errors import TrainingError
from training.fit import FitParameters, OnTree
from training.leak import assert_no_leak
from training.promotion import Check, floor_checks
from training.reference import reference_of
from training.register import Evidence, Registered, assert_new, check_registry, register
from training.scored_rows import ScoredRows
from training.search import Search, with_values
from training.selection import fit_selected
from training.split import Split, SplitPlan, plan_split
from training.split_rules import SplitRules
from training.tasks.task import Task
from training.trial_log import Trial, TrialLog
from training.use_case import UseCase
from training.useless_features import useless_features
from training.validation import TrialFit, Validation

if TYPE_CHECKING:
    from feast import FeatureStore

    from lockstep.stores.visibility import Visibility

_EXAMPLE_ROWS = 5
_REQUESTS = 50

# Told what is being done, and the share of all that is done, from 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class TrainingOptions:
    """What the caller chooses; `as_of` is the instant up to which labels are known.

    `search` looks for parameters first, and keeps its trials in `search_log`; on Spark with
    so many `spark_trials` at once, if any. With `select_above` a second fit has only the
    features that, shuffled on the validation fold, lose more worth than that. With `once` the
    same rows are not fitted again by the same options. `as_served` limits the features of a
    row to what the online store held at its T.
    """

    as_of: datetime | None = None
    split: SplitRules = SplitRules()
    parameters: FitParameters = field(default_factory=FitParameters)
    search: Search | None = None
    search_log: Path | None = None
    spark_trials: int = 0
    select_above: float | None = None
    once: bool = False
    as_served: Visibility | None = None


@dataclass(frozen=True)
class TrainingResult:
    """A registered model and what is to be known of it; `floors` are as `floor_checks` has them."""

    registered: Registered
    trees: int
    threshold: float | None
    facts: Mapping[str, str]
    metrics: Mapping[str, Interval]
    folds: Mapping[str, Mapping[str, Any]]
    floors: tuple[Check, ...]
    warnings: tuple[str, ...]


def train(
    settings: Settings,
    store: FeatureStore,
    use_case: UseCase,
    options: TrainingOptions,
    progress: Progress,
) -> TrainingResult:
    """The result of fitting, judging and registering a model of `use_case`.

    Raises:
        AlreadyTrainedError: with `once`, the registry has the model already.
        LockstepError: the data, the definitions or the registry do not allow it; then the
            registry's champion is what it was.
    """
    check_registry(settings)
    progress("reading labels", 0.0)
    as_of, rows = labelled_rows(settings, use_case, options.as_of)
    task = use_case.task
    plan = plan_split(rows, task, options.split)
    split, dataset = joined_split(
        store, use_case, plan, rows, progress, as_served=options.as_served
    )
    assert_no_leak(split, row_id=use_case.row_id, as_of=as_of)
    recipe = _recipe(dataset, options)
    if options.once:
        assert_new(settings, use_case.name, recipe)
    parameters, trials = _searched(settings, use_case, split, dataset, options, progress)
    predictor, selection = fit_selected(
        split,
        dataset,
        use_case=use_case,
        as_of=as_of,
        parameters=parameters,
        above=options.select_above,
        seed=options.parameters.seed,
        on_tree=_tree_progress(progress, task, parameters),
    )
    progress("evaluating", 0.8)
    scored = scored_by(predictor, split.test, use_case)
    metrics = scored.intervals(seed=options.parameters.seed)
    warnings = (*_split_warnings(plan), *useless_features(split.train, dataset.feature_order))
    progress("registering", 0.9)
    evidence = Evidence(
        params=_params(predictor, task, options, parameters)
        | {"erased": _erased(settings, use_case, as_of)},
        metrics=metrics,
        folds=split.describe(task),
        floors=floor_checks(metrics, use_case.floors),
        requests=_requests(use_case, split.test),
        dataset=dataset,
        trials=trials,
        selection=selection,
        warnings=warnings,
        recipe=recipe,
        reference=reference_of(split.train, predictor.artefact.feature_order, scored),
    )
    registered = register(settings, predictor, split.train.head(_EXAMPLE_ROWS), scored, evidence)
    return TrainingResult(
        registered,
        int(predictor.model.tree_count_),
        predictor.artefact.threshold,
        dict(scored.facts()),
        metrics,
        evidence.folds,
        evidence.floors,
        warnings,
    )


def _recipe(dataset: Dataset, options: TrainingOptions) -> str:
    """A hash of all that a model is made of: rows, features and options."""
    told = {
        "rows": dataset.receipt["content_hash"],
        "fingerprint": dataset.fingerprint,
        "split": asdict(options.split),
        "parameters": asdict(options.parameters),
        "search": asdict(options.search) if options.search else None,
        "select_above": options.select_above,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def scored_by(predictor: Predictor, rows: pl.DataFrame, use_case: UseCase) -> ScoredRows:
    """The rows with what the predictor answers to them.

    Raises:
        TrainingError: the predictor was asked something else.
    """
    outputs = predictor.outputs(rows.select(predictor.artefact.feature_order).to_dict())
    return use_case.task.scored(rows, outputs, predictor.artefact.target, use_case)


def labelled_rows(
    settings: Settings, use_case: UseCase, as_of: datetime | None, since: datetime | None = None
) -> tuple[datetime, pl.DataFrame]:
    """The instant up to which labels are known, and the rows that had one by then.

    With `since` those from then on.

    Raises:
        TrainingError: no label was known.
        LakeError: the tables are absent or damaged.
    """
    lake = Lake.at(settings.lake)
    known_by = as_of or lake.table(use_case.labels_table).coverage_end()
    rows = use_case.entity_rows(lake, known_by, since)
    if rows.is_empty():
        raise TrainingError.no_labels(use_case.name, known_by)
    return known_by, rows


def joined_split(
    store: FeatureStore,
    use_case: UseCase,
    plan: SplitPlan,
    rows: pl.DataFrame,
    progress: Progress,
    *,
    as_served: Visibility | None,
) -> tuple[Split, Dataset]:
    """The folds with their features; rows that are in no fold are not joined.

    Raises as `join_features` does.
    """
    used = plan.split(rows).rows()
    progress(f"joining features onto {used.height:,} rows", 0.1)
    dataset = join_features(
        store,
        used,
        feature_service=use_case.feature_service,
        row_id=use_case.row_id,
        as_served=as_served,
    )
    return plan.split(dataset.rows), dataset


def _searched(
    settings: Settings,
    use_case: UseCase,
    split: Split,
    dataset: Dataset,
    options: TrainingOptions,
    progress: Progress,
) -> tuple[FitParameters, Sequence[Trial]]:
    search = options.search
    if search is None:
        return options.parameters, ()
    told = {
        "rows": dataset.receipt["content_hash"],
        "fingerprint": dataset.fingerprint,
        "parameters": asdict(options.parameters),
        "seed": search.seed,
    }
    path = settings.home_dir / "search" / f"{use_case.name}.jsonl"
    log = TrialLog(options.search_log or path, told)
    validation = Validation.of_split(use_case.task, split, dataset.feature_order)

    def on_trial(trial: Trial, best: Trial) -> None:
        done = trial.number + 1
        name = _in_words(use_case.task)
        what = f"trial {done} of {search.trials}, best {name} {best.score:.4f}"
        progress(what, 0.15 + 0.35 * done / search.trials)

    if options.spark_trials:
        from training.spark_search import search_on_spark

        fitting = TrialFit(validation, options.parameters)
        best = search_on_spark(
            search, fitting, log, lake=Lake.at(settings.lake), parallelism=options.spark_trials
        )
        parameters = with_values(options.parameters, best.values)
    else:
        parameters = validation.searched(search, options.parameters, log, on_trial)
    return parameters, log.trials[: search.trials]


def _tree_progress(progress: Progress, task: Task, parameters: FitParameters) -> OnTree:
    def on_tree(done: int, best: float) -> bool:
        most = parameters.iterations
        what = f"fitting tree {done} of at most {most}, {_in_words(task)} {best:.4f}"
        progress(what, 0.5 + 0.3 * done / most)
        return True

    return on_tree


def _erased(settings: Settings, use_case: UseCase, as_of: datetime) -> str:
    """The erasures of rows that were known at `as_of`: the set is no longer what it was then."""
    ids = erased_since(Lake.at(settings.lake), use_case.name, as_of)
    return ", ".join(ids) or "none"


def _requests(use_case: UseCase, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Some rows as requests without T, evenly spaced."""
    contract = load_use_case("lockstep.contract", use_case.name, entry="SCORED_EVENTS")
    events: ScoredEvents = contract.SCORED_EVENTS
    step = max(1, rows.height // _REQUESTS)
    return [events.body(row) for row in rows[::step][:_REQUESTS].iter_rows(named=True)]


def _in_words(task: Task) -> str:
    return task.worth_name.replace("_", " ")


def _split_warnings(plan: SplitPlan) -> tuple[str, ...]:
    if plan.purged:
        return ()
    return ("too few days: some training labels became known after validation starts",)


def _params(
    predictor: Predictor, task: Task, options: TrainingOptions, parameters: FitParameters
) -> dict[str, Any]:
    return {
        **asdict(parameters),
        **asdict(options.split),
        "as_of": predictor.artefact.trained_as_of.isoformat(),
        "train_days": options.split.train_days or "all",
        "trees": int(predictor.model.tree_count_),
        "threshold": predictor.artefact.threshold,
        "target_rule": task.target_rule,
        "as_served": options.as_served.label if options.as_served else "no: all that was known",
        "search_trials": options.search.trials if options.search else 0,
    }
