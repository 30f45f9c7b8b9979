"""What Feast gets back from the offline store: rows that are read when asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

import pandas as pd
import polars as pl
import pyarrow as pa
from feast import OnDemandFeatureView
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.saved_dataset import SavedDatasetStorage

from lockstep.lake.content_hash import ContentHash
from lockstep.lake.lake import Lake
from lockstep.stores.errors import SourceError
from lockstep.stores.join_receipt import JoinReceipt
from lockstep.stores.lake_errors import lake_errors
from lockstep.stores.source_table import SourceTable


class LockstepRetrievalJob(RetrievalJob):  # type: ignore[misc]  # Feast ships no types
    """Rows that are finished as `evaluate` gives them; a base for those that are not."""

    def __init__(self, evaluate: Callable[[], pl.DataFrame], *, lake: Lake) -> None:
        self._evaluate = evaluate
        self._lake = lake

    @property
    def full_feature_names(self) -> bool:
        """Whether features are called `<view>__<feature>`."""
        return False

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The on-demand views that Feast's base class adds to the rows."""
        return []

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for; None for a plain scan."""
        return None

    def to_polars(self) -> pl.DataFrame:
        """The rows of `to_arrow`, in Polars."""
        return pl.DataFrame(self.to_arrow())

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,
        timeout: int | None = None,
    ) -> None:
        """Writes the rows as parquet: one file, in a folder of its own if so named.

        The receipt of a join stands beside the file or folder, as `<name>.receipt.json`.

        Raises:
            SourceError: the storage is not parquet in a folder or on S3.
            SavedDatasetLocationAlreadyExists: it is there and may not be replaced.
        """
        if not isinstance(storage, SavedDatasetFileStorage):
            raise SourceError.unsupported(type(storage).__name__, "SavedDatasetFileStorage")
        target = SourceTable.of(storage.to_data_source(), self._lake)
        if target.exists() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=target.address)
        digest: list[ContentHash] = []
        batches = _hashed(self.batches(), digest)
        with lake_errors():
            _replace(target, batches)
            if receipt := self._receipt(digest[0].hexdigest()):
                text = json.dumps(receipt.as_json(), indent=2) + "\n"
                target.lake.write_bytes(_receipt_key(target), text.encode())

    def batches(self) -> Iterator[pa.Table]:
        """The rows of `to_arrow`, one table after another, in bounded memory where it can be."""
        yield self.to_arrow()

    def _receipt(self, content_hash: str) -> JoinReceipt | None:
        """The account of the rows that were last evaluated."""
        return None

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


def _hashed(batches: Iterable[pa.Table], digest: list[ContentHash]) -> Iterator[pa.Table]:
    """The batches as they are; `digest` gets the hash of all of them."""
    for batch in batches:
        rows = pl.DataFrame(batch)
        if not digest:
            digest.append(ContentHash(rows.schema))
        digest[0].update(rows)
        yield batch


def _replace(target: SourceTable, batches: Iterable[pa.Table]) -> None:
    """Makes the rows the file, or all that the folder holds."""
    lake, name = target.lake, target.name
    if name.endswith(".parquet"):
        lake.write_parquet_batches(name, batches)
        return
    part = f"{name}/part.parquet"
    lake.write_parquet_batches(part, batches)
    lake.delete(k for k in lake.list(f"{name}/") if k.endswith(".parquet") and k != part)


def _receipt_key(target: SourceTable) -> str:
    return f"{target.name.removesuffix('.parquet')}.receipt.json"
