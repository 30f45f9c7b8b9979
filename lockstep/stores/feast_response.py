"""The answer of `get_online_features`, filled from what Redis said of several views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feast import FeatureView, RepoConfig, utils

from lockstep.stores.feast_reads import FeastRead, OnlineQuery
from lockstep.stores.redis_wire import Reply


@dataclass(frozen=True)
class _Part:
    """One view of the answer; `positions` has the places of each entity in it."""

    view: FeatureView
    requested: list[str]
    positions: Sequence[Sequence[int]]
    length: int
    query: OnlineQuery


@dataclass(frozen=True)
class FeastResponse:
    """Feast's response message, and what is asked to fill it."""

    message: Any
    parts: tuple[_Part, ...]
    full_feature_names: bool
    with_versions: bool

    @classmethod
    def of(
        cls,
        config: RepoConfig,
        grouped_refs: Sequence[tuple[FeatureView, list[str]]],
        join_key_values: dict[str, Any],
        join_keys: dict[str, str],
        message: Any,
        full_feature_names: bool,
        with_versions: bool,
    ) -> FeastResponse:
        """What Feast hands to a store's `_read_features_per_fv`."""
        parts = []
        for view, requested in grouped_refs:
            entities, positions, length = utils._get_unique_entities(
                view, join_key_values, join_keys
            )
            keys = utils._get_entity_key_protos(entities)
            query = OnlineQuery.of(config, view, keys, requested)
            parts.append(_Part(view, requested, tuple(positions), length, query))
        return cls(message, tuple(parts), full_feature_names, with_versions)

    @property
    def queries(self) -> list[OnlineQuery]:
        """One for each view."""
        return [part.query for part in self.parts]

    def fill(self, reads: Sequence[Sequence[FeastRead]]) -> None:
        """Adds values, times and statuses; Feast itself knows only found and not found."""
        for part, rows in zip(self.parts, reads, strict=True):
            first = len(self.message.results)
            utils._populate_response_from_feature_data(
                part.requested,
                [read.row for read in rows],
                part.positions,
                self.message,
                self.full_feature_names,
                part.view,
                part.length,
                self.with_versions,
            )
            for position, vector in enumerate(self.message.results[first:]):
                for read, places in zip(rows, part.positions, strict=True):
                    for place in places:
                        vector.statuses[place] = read.statuses[position]


def asked(queries: Sequence[OnlineQuery]) -> tuple[list[bytes], list[bytes]]:
    """The keys and commands of all queries, one after another."""
    keys = [key for query in queries for key in query.asked]
    return keys, [command for query in queries for command in query.commands]


def answered(
    queries: Sequence[OnlineQuery], replies: Sequence[Reply], t_us: int
) -> list[list[FeastRead]]:
    """The rows of each query at T."""
    reads, first = [], 0
    for query in queries:
        end = first + len(query.asked)
        reads.append(query.reads(replies[first:end], t_us))
        first = end
    return reads
