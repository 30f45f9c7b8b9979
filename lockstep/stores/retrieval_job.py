"""What Feast gets back from the offline store: rows that are joined when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import polars as pl
import pyarrow as pa
from feast import OnDemandFeatureView
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.saved_dataset import SavedDatasetStorage

from lockstep.lake.lake import Lake
from lockstep.stores.errors import SourceError
from lockstep.stores.lake_errors import lake_errors
from lockstep.stores.source_table import SourceTable


class LockstepRetrievalJob(RetrievalJob):  # type: ignore[misc]  # Feast ships no types
    """A query over the lake; Feast's base class adds the on-demand views to its rows."""

    def __init__(
        self,
        evaluate: Callable[[], pl.DataFrame],
        *,
        lake: Lake,
        full_feature_names: bool = False,
        on_demand_feature_views: Sequence[OnDemandFeatureView] = (),
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._evaluate = evaluate
        self._lake = lake
        self._full_feature_names = full_feature_names
        self._on_demand_feature_views = list(on_demand_feature_views)
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """Whether features are called `<view>__<feature>`."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The on-demand views that are computed from the rows."""
        return self._on_demand_feature_views

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for; None for a plain scan."""
        return self._metadata

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,
        timeout: int | None = None,
    ) -> None:
        """Writes the rows as parquet: one file, in a folder of its own if so named.

        Raises:
            SourceError: the storage is not parquet in a folder or on S3.
            SavedDatasetLocationAlreadyExists: it is there and may not be replaced.
        """
        if not isinstance(storage, SavedDatasetFileStorage):
            raise SourceError.unsupported(type(storage).__name__, "SavedDatasetFileStorage")
        target = SourceTable.of(storage.to_data_source(), self._lake)
        if target.exists() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=target.address)
        rows = pl.DataFrame(self.to_arrow(timeout=timeout))
        with lake_errors():
            _replace(target, rows)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return arrow_table(self._evaluate())

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal(timeout).to_pandas()
        return frame


def arrow_table(rows: pl.DataFrame) -> pa.Table:
    """The rows as Arrow in the plain types that Feast declares (string, not large_string)."""
    table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    plain = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}
    fields = [field.with_type(plain.get(field.type, field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))


def _replace(target: SourceTable, rows: pl.DataFrame) -> None:
    """Makes `rows` the file, or all that the folder holds."""
    lake, name = target.lake, target.name
    if name.endswith(".parquet"):
        lake.write_parquet(name, rows)
        return
    part = f"{name}/part.parquet"
    lake.write_parquet(part, rows)
    lake.delete(k for k in lake.list(f"{name}/") if k.endswith(".parquet") and k != part)
