"""What can keep a model from being trained."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lockstep.errors import LockstepError


class AlreadyTrainedError(LockstepError):
    """A model that the registry has: the same rows, features and options."""

    @classmethod
    def as_version(cls, name: str, version: int) -> AlreadyTrainedError:
        return cls(
            f"version {version} of {name!r} was made of the same rows, features and options",
            next_step="leave --once out to fit it again",
        )


class TrainingError(LockstepError):
    """Data, definitions or a registry from which no model can come."""

    @classmethod
    def no_labels(cls, use_case: str, as_of: datetime) -> TrainingError:
        return cls(
            f"no label of {use_case!r} was known at {as_of.isoformat()}",
            next_step="choose a later --as-of, or ingest the verdicts first",
        )

    @classmethod
    def empty_fold(cls, fold: str, problem: str, next_step: str) -> TrainingError:
        return cls(f"the {fold} rows are empty: {problem}", next_step=next_step)

    @classmethod
    def one_class(cls, fold: str, rows: int, positives: int) -> TrainingError:
        return cls(
            f"the {fold} rows have one class only: {positives:,} positives in {rows:,} rows",
            next_step="use more days (--train-days, --test-days) or a later --as-of",
        )

    @classmethod
    def bad_option(cls, option: str, got: object, expected: str) -> TrainingError:
        return cls(f"{option} is {got}, expected {expected}", next_step=f"change {option}")

    @classmethod
    def outside(cls, option: str, first: Any, last: Any, start: Any, end: Any) -> TrainingError:
        return cls(
            f"{option} needs labelled rows from {first} to {last}; there are those from {start} "
            f"to {end}",
            next_step="choose other dates, or ingest more days",
        )

    @classmethod
    def other_task(cls, name: str, asked: str) -> TrainingError:
        return cls(
            f"the model of {name!r} answers something else than the {asked} it is asked for",
            next_step=f"train one with `lockstep train {name}`",
        )

    @classmethod
    def lacks_classes(cls, fold: str, rows: int, missing: Sequence[str]) -> TrainingError:
        return cls(
            f"the {fold} rows ({rows:,}) have nothing of {', '.join(missing)}",
            next_step="use more days (--train-days, --test-days) or a later --as-of",
        )

    @classmethod
    def not_positive(cls, fold: str, rows: int) -> TrainingError:
        return cls(
            f"of the {fold} rows {rows:,} have a label that is not above zero: it has no logarithm",
            next_step="correct the facts behind them, and ingest these again",
        )

    @classmethod
    def not_applied(cls, feature_service: str) -> TrainingError:
        return cls(
            f"the feature registry has no feature service {feature_service!r}",
            next_step="run `feast apply` in feature_repo/",
        )

    @classmethod
    def damaged_registry(cls, cause: Exception) -> TrainingError:
        return cls(
            f"the feature registry cannot be read ({cause})",
            next_step="delete the file that feature_store.yaml names, then run `feast apply`",
        )

    @classmethod
    def past_horizon(cls, view: str, horizon: datetime, newest: Any) -> TrainingError:
        return cls(
            f"the table of {view!r} is exact before {horizon.isoformat()}, but there are rows "
            f"up to T = {newest.isoformat()}",
            next_step="run `lockstep build` again, or choose an earlier instant or day",
        )

    @classmethod
    def rows_changed(cls, expected: int, got: int) -> TrainingError:
        return cls(
            f"the point-in-time join gave {got:,} rows for {expected:,}, or in another order",
            next_step="use an offline store that answers one row out per row in, in order",
        )


class SearchError(LockstepError):
    """A search that cannot go on."""

    @classmethod
    def other_search(cls, path: Path) -> SearchError:
        return cls(
            f"{path} has the trials of another search: other rows, features, space or seed",
            next_step="name another --search-log, or delete that one",
        )


class PromotionError(LockstepError):
    """A promotion that could not be decided; the aliases are what they were."""

    @classmethod
    def under_way(cls, name: str, since: str) -> PromotionError:
        return cls(
            f"another promotion of model {name!r} is under way since {since}",
            next_step="wait for it; after ten minutes it is taken for dead",
        )

    @classmethod
    def no_previous(cls, name: str) -> PromotionError:
        return cls(
            f"model {name!r} had no champion before this one",
            next_step="promote another version with `lockstep promote --version`",
        )

    @classmethod
    def not_later(cls, name: str, version: int, known_by: str, start: str) -> PromotionError:
        return cls(
            f"version {version} of model {name!r} knew labels up to {known_by}, but the days to "
            f"compare on begin at {start}",
            next_step="ingest later verdicts, or use fewer --test-days",
        )


class AlreadyChampionError(PromotionError):
    """There is nothing to compare: what is to be promoted is the champion."""

    @classmethod
    def version(cls, name: str, version: int) -> AlreadyChampionError:
        return cls(
            f"version {version} of model {name!r} is the champion already",
            next_step=f"run `lockstep train {name}`, or name another one with --version",
        )


class LeakError(LockstepError):
    """A training set that knows the future; nothing may be fitted on it."""

    @classmethod
    def found(cls, problem: str) -> LeakError:
        return cls(f"the split leaks: {problem}", next_step="split by time with `plan_split`")
