"""What the online store answers now, as served rows: an audit of what nobody has asked for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import polars as pl

from lockstep.contract.status import FeatureStatus
from lockstep.parity.served_rows import KIND_TYPE, KINDS, ServedRows
from lockstep.parity.service_views import ServiceViews
from lockstep.stores.column_types import UTC_TIME, declared_type
from lockstep.stores.feature_vectors import NO_TIME
from lockstep.stores.online_reader import BlockingReader
from lockstep.stores.plan_compiler import read_plan
from lockstep.windows.spec import EVENT_TIMESTAMP

_KINDS = pl.Series([KINDS[status.value] for status in FeatureStatus], dtype=KIND_TYPE)


def store_rows(
    url: str, project: str, views: ServiceViews, entities: pl.DataFrame, at: datetime
) -> ServedRows:
    """What the store at `url` answers for each entity row, asked at `at`.

    `views` are stored ones alone (see `ServiceViews.stored_alone`). `entities` has their join
    keys and `event_timestamp`, which is T. One row out per row in, in order.

    Raises:
        ReadPlanError: a feature is no number.
        EntityKeyError: a join key is absent, or of another type.
        StoreUnavailableError: Redis does not answer.
    """
    wanted = {view.name: view.features for view in views.listed}
    plan = read_plan(project, [views.stored[name] for name in wanted], wanted)
    reader = BlockingReader(url, plan.ordered(views.features))
    try:
        vectors = reader.vectors(
            entities.drop(EVENT_TIMESTAMP).to_dicts(),
            entities.get_column(EVENT_TIMESTAMP).to_physical().to_list(),
        )
    finally:
        reader.close()
    kinds = {v.name: vectors.codes[:, views.position(v.name)] for v in views.listed}
    steps = {view.name: vectors.event_us[:, place] for place, view in enumerate(plan.views)}
    return ServedRows(
        service=views.service.name,
        request_ids=_named(entities.height),
        answered=pl.repeat(at, entities.height, dtype=UTC_TIME, eager=True),
        entities=entities,
        values=pl.DataFrame(_values(views, vectors.values.T)),
        kinds=pl.DataFrame([_KINDS.gather(codes).alias(name) for name, codes in kinds.items()]),
        steps=pl.DataFrame(
            [pl.Series(n, us).set(pl.Series(us == NO_TIME), None) for n, us in steps.items()]
        ),
    )


def _named(count: int) -> pl.Series:
    """Names of rows that are no requests."""
    return pl.select(pl.format("sampled {}", pl.int_range(count))).to_series()


def _values(views: ServiceViews, columns: Iterable[Any]) -> list[pl.Series]:
    """The features under their full names, in their declared types."""
    declared = [
        (f"{view.name}__{feature}", declared_type(types[feature]))
        for view in views.listed
        for types in [{field.name: field.dtype for field in views.stored[view.name].features}]
        for feature in view.features
    ]
    return [
        pl.Series(name, values).fill_nan(None).cast(kind or pl.Float64)
        for (name, kind), values in zip(declared, columns, strict=True)
    ]
