"""What can be wrong between Feast, the lake and the online store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

import click

from lockstep.errors import LockstepError


class PluginError(LockstepError, click.ClickException):
    """What leaves our plug-ins; the `feast` command shows it in one line and exits with 2."""

    exit_code: ClassVar[int] = 2


class EntityFrameError(PluginError):
    """An entity frame that cannot be joined as it stands."""

    @classmethod
    def wrong_kind(cls, got: object) -> EntityFrameError:
        return cls(
            f"the entity frame is {type(got).__name__}, expected a pandas, Arrow or Polars table",
            next_step="load the rows first; date ranges without entities are not read",
        )

    @classmethod
    def no_parquet(cls, address: str) -> EntityFrameError:
        return cls(
            f"there is no parquet at {address[:200]} with entity rows",
            next_step="give a table, or the path of a parquet file or folder; SQL is not read",
        )

    @classmethod
    def no_request_data(cls, missing: Iterable[str], got: Sequence[str]) -> EntityFrameError:
        return cls(
            f"the entity frame lacks the request data {sorted(missing)[:5]}; "
            f"it has {list(got)[:12]}",
            next_step="add what the on-demand views take of a request",
        )

    @classmethod
    def missing_columns(cls, missing: Iterable[str], got: Sequence[str]) -> EntityFrameError:
        return cls(
            f"the entity frame lacks {sorted(missing)[:5]}; it has {list(got)[:12]}",
            next_step="add the join keys of every requested view, and event_timestamp",
        )

    @classmethod
    def name_taken(cls, columns: Iterable[str]) -> EntityFrameError:
        return cls(
            f"the entity frame already has columns named like features: {sorted(columns)[:5]}",
            next_step="rename or drop them, or ask for full_feature_names=True",
        )

    @classmethod
    def duplicate_columns(cls, columns: Iterable[str]) -> EntityFrameError:
        return cls(
            f"the entity frame has columns of the same name: {sorted(columns)[:5]}",
            next_step="rename or drop one of each",
        )

    @classmethod
    def nulls(cls, column: str, count: int) -> EntityFrameError:
        return cls(
            f"column {column!r} of the entity frame has {count:,} nulls, expected none",
            next_step="fill or drop those rows",
        )

    @classmethod
    def wrong_type(cls, column: str, got: object, expected: object) -> EntityFrameError:
        return cls(
            f"column {column!r} of the entity frame is {got}, expected {expected}",
            next_step="convert it before the join",
        )

    @classmethod
    def unreadable(cls, cause: Exception) -> EntityFrameError:
        return cls(
            f"the entity frame cannot be read as a table ({cause})",
            next_step="give every column one type",
        )

    @classmethod
    def known_too_early(cls, count: int) -> EntityFrameError:
        return cls(
            f"known_as_of is before event_timestamp in {count:,} rows",
            next_step="use known_as_of >= event_timestamp: T is known at T",
        )


class SourceError(PluginError):
    """A data source whose rows cannot be read."""

    @classmethod
    def missing(cls, address: str) -> SourceError:
        return cls(
            f"there is no parquet at {address}",
            next_step="run `lockstep build`, or mend the path of the FileSource",
        )

    @classmethod
    def missing_columns(
        cls, address: str, missing: Iterable[str], got: Iterable[str]
    ) -> SourceError:
        return cls(
            f"{address} lacks {sorted(missing)[:5]}; it has {list(got)[:12]}",
            next_step="build it again, or mend the schema of the feature view",
        )

    @classmethod
    def wrong_type(cls, address: str, column: str, got: object, expected: object) -> SourceError:
        return cls(
            f"column {column!r} of {address} is {got}, expected {expected}",
            next_step="mend the schema of the feature view, or write the column as declared",
        )

    @classmethod
    def other_rows(cls, address: str, cause: Exception) -> SourceError:
        return cls(
            f"the rows do not fit the columns of {address} ({cause})",
            next_step="give every column the type that is declared",
        )

    @classmethod
    def built_elsewhere(cls, address: str) -> SourceError:
        return cls(
            f"{address} has partitions by day, which are built or ingested as a whole",
            next_step="ingest the events instead, and build; or push to the online store only",
        )

    @classmethod
    def unsupported(cls, source: object, expected: str) -> SourceError:
        return cls(
            f"the data source {source} cannot be read, expected {expected}",
            next_step="declare the view over a FileSource of parquet",
        )


class MaterializeError(PluginError):
    """A materialisation that would leave the online store silently wrong."""

    @classmethod
    def no_rows(cls, view: str, address: str, start: object, end: object) -> MaterializeError:
        return cls(
            f"{view} has no rows from {start} to {end} in {address}; nothing was written",
            next_step="check the dates, or set `allow_empty: true` in batch_engine",
        )

    @classmethod
    def transformed_view(cls, view: str) -> MaterializeError:
        return cls(
            f"{view} has a transformation or aggregations, expected finished columns",
            next_step="compute it with `lockstep build`, or use another batch_engine for it",
        )

    @classmethod
    def bad_options(cls, cause: Exception) -> MaterializeError:
        return cls(
            f"batch_engine cannot be read ({cause})",
            next_step="mend feature_store.yaml; it knows `type` and `allow_empty`",
        )


class LedgerError(PluginError):
    """A ledger that does not say what it has to."""

    @classmethod
    def damaged(cls, address: str, cause: Exception) -> LedgerError:
        return cls(
            f"the ledger's record {address} cannot be read ({cause})",
            next_step="restore that object, or delete it and materialise once more",
        )

    @classmethod
    def none_until(cls, view: str, at: object) -> LedgerError:
        return cls(
            f"no materialisation of view {view!r} up to {at} is on record",
            next_step="run `lockstep materialize` or `feast materialize`",
        )


class EntityKeyError(PluginError):
    """An entity id that cannot be a key of the online store."""

    @classmethod
    def missing(cls, column: str, got: Iterable[str]) -> EntityKeyError:
        return cls(
            f"the entity row lacks {column!r}; it has {sorted(got)[:12]}",
            next_step="send every join key of the feature service",
        )

    @classmethod
    def nulls(cls, column: str, count: int) -> EntityKeyError:
        return cls(
            f"the join key {column!r} has {count:,} nulls, expected none",
            next_step="drop those rows: an entity without an id cannot be asked for",
        )

    @classmethod
    def wrong_value(cls, column: str, got: object, expected: str) -> EntityKeyError:
        return cls(
            f"{column} is {got!r}, expected {expected}",
            next_step="send the id as the feature view declares it",
        )


class ReadPlanError(PluginError):
    """Feature views that cannot be read together."""

    @classmethod
    def name_clash(cls, feature: str, views: Iterable[str]) -> ReadPlanError:
        return cls(
            f"the feature {feature!r} comes from several views: {sorted(views)}",
            next_step="ask for only one, or for full_feature_names=True where that is offered",
        )

    @classmethod
    def unknown_features(cls, view: str, missing: Iterable[str]) -> ReadPlanError:
        return cls(
            f"the view {view!r} has no features {sorted(missing)[:5]}",
            next_step="mend the feature service, or apply the definitions again",
        )

    @classmethod
    def not_read(cls, missing: Iterable[str], got: Sequence[str]) -> ReadPlanError:
        return cls(
            f"the features {sorted(missing)[:5]} are not read; there are {list(got)[:12]}",
            next_step="order only features that the plan was compiled with",
        )

    @classmethod
    def no_number(cls, feature: str, got: object) -> ReadPlanError:
        return cls(
            f"the feature {feature!r} is {got}, expected a number or a truth value",
            next_step="leave it out of the vectors, or `read` it",
        )

    @classmethod
    def no_keys(cls, view: str) -> ReadPlanError:
        return cls(
            f"the view {view!r} has no entity with a value_type, expected a join key to read it by",
            next_step="give it one, or leave it out of the feature services that are served",
        )

    @classmethod
    def bad_key_type(cls, key: str, got: object) -> ReadPlanError:
        return cls(
            f"the join key {key!r} is {got}, expected an integer, string, bytes or time",
            next_step="mend the entity's value_type",
        )


class ViewTagError(PluginError):
    """A tag of a feature view that says nothing that is understood."""

    @classmethod
    def wrong_value(cls, view: str, tag: str, got: str, expected: str) -> ViewTagError:
        return cls(
            f"the tag {tag} of the feature view {view!r} is {got[:40]!r}, expected {expected}",
            next_step="mend the view's definition and run `feast apply`",
        )


class StoreUnavailableError(PluginError):
    """The online store does not answer, or refuses."""

    @classmethod
    def redis(cls, url: str, cause: Exception) -> StoreUnavailableError:
        return cls(
            f"Redis at {without_password(url)} does not serve ({cause})",
            next_step="run `lockstep redis start`, or set REDIS_URL to a Redis that is up",
        )

    @classmethod
    def not_permitted(cls, url: str, cause: Exception) -> StoreUnavailableError:
        return cls(
            f"the user of Redis at {without_password(url)} may not do this ({cause})",
            next_step="grant what docs/online.md lists, or use the address of another user",
        )

    @classmethod
    def bad_url(cls, url: str, cause: Exception) -> StoreUnavailableError:
        return cls(
            f"{without_password(url)!r} is not the address of a Redis ({cause})",
            next_step="set REDIS_URL as redis://host:port/0, rediss://... or unix:///path",
        )


def without_password(url: str) -> str:
    """The address without what must not be shown.

    >>> without_password("rediss://lock:secret@cache:6380/1")
    'rediss://lock:***@cache:6380/1'
    """
    parts = urlsplit(url)
    credentials, at, host = parts.netloc.rpartition("@")
    if not at:
        return url
    user = credentials.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:***@{host}"))
