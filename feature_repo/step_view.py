"""How a `WindowSpec` becomes a Feast feature view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from feast import Entity, FeatureView, Field, FileSource
from feast.data_format import ParquetFormat
from feast.types import Float64, Int64

from lockstep.stores.kept_rows import KeptRows
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, VALID_UNTIL, WindowSpec

_FEAST_TYPES = {"int64": Int64, "float64": Float64}


def step_view(
    spec: WindowSpec,
    *,
    entity: Entity | Sequence[Entity],
    max_age: timedelta,
    description: str,
    ttl: timedelta = timedelta(0),
    keeps_rows_for: Sequence[WindowSpec] = (),
) -> FeatureView:
    """The feature view over the lake table that `lockstep build` writes for `spec`.

    An entity of Feast has one join key: a spec of several has one entity for each. The
    source's path is relative to the lake of the offline store. `ttl` is for snapshots,
    which say nothing once the next is due; steps have none: a step function that has fallen
    to zero stays zero. `max_age` is how far behind T the view's horizon may be before its
    values read as STALE.

    `keeps_rows_for` are specs of the same source and keys, none with a longer window than
    `spec`: the online store keeps the rows that they read beside each step, so that a request
    may bring a row that is not stored yet. Of bars, one row an end.
    """
    keys = [Field(name=key, dtype=Int64) for key in spec.entity_keys]
    features = [Field(name=n, dtype=_FEAST_TYPES[t]) for n, t in spec.features().items()]
    tags = {
        "step_function": "true",
        "max_age_seconds": str(int(max_age.total_seconds())),
        "window_spec": spec.fingerprint,
    }
    if keeps_rows_for:
        columns = dict.fromkeys(name for each in keeps_rows_for for name in each.value_columns)
        tags["kept_rows"] = KeptRows(spec.source, tuple(columns), spec.lengths_us[-1]).tag
    return FeatureView(
        name=spec.name,
        entities=[entity] if isinstance(entity, Entity) else list(entity),
        ttl=ttl,
        schema=[*keys, *features, Field(name=VALID_UNTIL, dtype=Int64)],
        source=FileSource(
            name=f"{spec.name}_steps",
            path=spec.table,
            file_format=ParquetFormat(),
            timestamp_field=EVENT_TIMESTAMP,
            created_timestamp_column=CREATED_TIMESTAMP,
        ),
        tags=tags,
        description=description,
    )
