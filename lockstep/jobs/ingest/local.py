"""The ingest in one process, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from lockstep.jobs.ingest.engine import Check, Item, Result, bucket_of
from lockstep.jobs.ingest.split import Split

_BUCKET = ":bucket"


@dataclass(frozen=True)
class LocalEngine:
    """One thing after another; see `Engine`. What is more than a bucket goes over the disk."""

    rows_a_bucket: int = 2_000_000

    def each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        return map(function, items)

    def each_bucket(
        self,
        splits: Sequence[Split],
        check: Check,
        settle: Callable[[int, pl.DataFrame], Result],
        *,
        key: Sequence[str],
        schema: pl.Schema,
        buckets: int,
    ) -> Iterator[Result]:
        if buckets == 1:
            yield settle(0, pl.concat([check(split) for split in splits]))
            return
        with TemporaryDirectory(prefix="lockstep-ingest-") as folder:
            for number, split in enumerate(splits):
                rows = check(split).with_columns(bucket_of(key, buckets).alias(_BUCKET))
                parts = rows.partition_by(_BUCKET, as_dict=True, include_key=False)
                for (bucket,), part in parts.items():
                    part.write_ipc(Path(folder) / f"{bucket}-{number}.arrow", compression="lz4")
            for bucket in range(buckets):
                files = sorted(Path(folder).glob(f"{bucket}-*.arrow"))
                if files:
                    yield settle(bucket, pl.concat([pl.read_ipc(f) for f in files]))
