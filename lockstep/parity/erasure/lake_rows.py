"""A use case's own rows in the lake, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from lockstep.contract.served_log import FEATURES, REQUEST_ID, predictions_folder
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.lake import Lake
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.parquet_rows import ParquetRows, parquet_keys


def logged_rows(
    lake: Lake, use_case: str, entity: ErasedEntity, requests: Sequence[str]
) -> list[ParquetRows]:
    """The log: first the predictions, by the ids of the `requests` that stand in the features."""
    predictions = partial(parquet_keys, lake, f"{predictions_folder(use_case)}/")
    features = partial(parquet_keys, lake, f"{use_case}/{FEATURES}/")
    asked = pl.col(REQUEST_ID).is_in(list(requests)).fill_null(value=False)
    return [
        ParquetRows("predictions", lake, predictions, asked),
        ParquetRows("feature log", lake, features, entity.rows()),
    ]


def lake_rows(lake: Lake, spec: IngestSpec, entity: ErasedEntity) -> list[ParquetRows]:
    """Scored days, rejected rows, and the ingested tables."""
    scored = partial(parquet_keys, lake, f"{spec.use_case}/scored/")
    rejected = partial(parquet_keys, lake, f"{RejectedTable(lake, spec.rejected).name}/")
    names = [table.name for table in spec.tables]
    return [
        ParquetRows("scored days", lake, scored, entity.rows()),
        ParquetRows(
            "rejected rows",
            lake,
            rejected,
            entity.raw_rows(spec),
            doubtful=entity.unreadable(spec),
            why=f"have no {entity.column} that can be read: it cannot be said whose they are",
        ),
        *(ParquetRows(name, lake, partial(_parts, lake, name), entity.rows()) for name in names),
    ]


def _parts(lake: Lake, name: str) -> list[str]:
    table = lake.table(name)
    return [table.part(day) for day in table.days()]
