"""The lake: objects by key under one URI, a local folder or a prefix of an S3 bucket."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import uuid4

import polars as pl

from lockstep.lake.errors import LakeError, NoObjectError
from lockstep.lake.local_objects import LocalObjects
from lockstep.lake.objects import Objects
from lockstep.lake.parquet import collect

if TYPE_CHECKING:
    import pyarrow as pa

    from lockstep.lake.table import LakeTable


@dataclass(frozen=True)
class Lake:
    """Where tables live; it can be sent to another process, which connects by itself.

    `endpoint` is for a source that names its own S3 server; others are found by environment.
    """

    uri: str
    endpoint: str | None = None

    @classmethod
    def at(cls, uri: str | Path, *, endpoint: str | None = None) -> Lake:
        """The lake at a path, `file:///path` or `s3://bucket/prefix`; nothing is opened yet.

        A relative path is taken from the working directory. `s3a://`, as Spark has it, is S3.

        Raises:
            LakeError: the URI names no kind of lake, or no bucket.

        >>> Lake.at("s3a://bucket/lake/").uri
        's3://bucket/lake'
        >>> Lake.at("file:///data/lake").uri
        '/data/lake'
        """
        scheme, separator, rest = str(uri).partition("://")
        if not separator and not scheme.endswith(":/"):
            return cls(str(Path(scheme).absolute()))
        if scheme == "file" and rest.startswith("/"):
            return cls(str(Path(unquote(rest))))
        if scheme in ("s3", "s3a") and rest.strip("/"):
            return cls(f"s3://{rest.strip('/')}", endpoint)
        raise LakeError.unknown_uri(str(uri))

    def table(self, name: str) -> LakeTable:
        """The table of that name, whether it is there or not."""
        from lockstep.lake.table import LakeTable

        return LakeTable(self, name)

    def address(self, key: str) -> str:
        """Where the object of that key is, as other programs and people name it."""
        return f"{self.uri}/{key}" if key else self.uri

    def list(self, prefix: str) -> list[str]:
        """The keys that start with `prefix`, sorted.

        Files whose name starts with a dot, and the empty objects with which consoles mark
        folders, are not the lake's.
        """
        names = {key: key.rpartition("/")[2] for key in self.versions(prefix)}
        return sorted(key for key, name in names.items() if name and name[0] != ".")

    def versions(self, prefix: str) -> dict[str, str]:
        """A text for each object whose key starts with `prefix`: another one, once replaced."""
        return self._objects.versions(prefix)

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        return self._objects.exists(key)

    def read_bytes(self, key: str) -> bytes:
        """The object's content.

        Raises:
            LakeError: there is no such object.
        """
        return self._objects.read_bytes(key)

    def read_tail(self, key: str, size: int) -> bytes:
        """The object's last `size` bytes, or all where it is shorter: a parquet footer, say.

        Raises:
            LakeError: there is no such object.
        """
        return self._objects.read_tail(key, size)

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        """The object's bytes [start, stop), where start is inside it.

        Raises:
            LakeError: there is no such object.
        """
        return self._objects.read_range(key, start, stop)

    def read_chunks(self, key: str, size: int) -> Iterator[bytes]:
        """The object's content in pieces of `size` bytes: what memory has no room for whole.

        Raises:
            LakeError: there is no such object.
        """
        return self._objects.read_chunks(key, size)

    def write_bytes(self, key: str, data: bytes) -> None:
        """Makes `data` the object's content; readers see the old one or the new, never a half."""
        self._objects.write_bytes(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        """Removes the objects; keys that are not there are left alone."""
        self._objects.delete(list(keys))

    def scan_parquet(self, keys: Sequence[str], **options: Any) -> pl.LazyFrame:
        """The rows of the objects, one after another, lazily."""
        return pl.scan_parquet(
            [self.address(key) for key in keys],
            glob=False,
            hive_partitioning=False,
            **self._objects.scan_options(),
            **options,
        )

    def read_parquet(self, key: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of one object; all columns unless some are named.

        Raises:
            LakeError: there is no such object, or it is not parquet.
        """
        rows = self.scan_parquet([key])
        return collect(self, [key], rows if columns is None else rows.select(columns))

    def write_parquet(
        self, key: str, frame: pl.DataFrame, *, metadata: dict[str, str] | None = None
    ) -> int:
        """The size in bytes of the object, once it holds `frame`; atomic as `write_bytes`.

        `metadata` goes into the footer, as text by name.
        """
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", compression_level=1, metadata=metadata)
        self.write_bytes(key, buffer.getvalue())
        return buffer.getbuffer().nbytes

    def write_parquet_batches(
        self, key: str, batches: Iterable[pa.Table], *, repeating: Sequence[str] | None = None
    ) -> int:
        """The size in bytes of the object, once it holds the tables one after another; atomic.

        They have one schema, and there is at least one. Memory follows the largest of them:
        the object is made in a local file first. Only `repeating` columns, by their names in
        parquet, get dictionaries, which elsewhere cost time and bytes; else all do.
        """
        import pyarrow.parquet as pq

        with TemporaryDirectory(prefix="lockstep-") as folder:
            path, writer = Path(folder) / "object.parquet", None
            try:
                for batch in batches:
                    writer = writer or pq.ParquetWriter(
                        path,
                        batch.schema,
                        compression="zstd",
                        use_dictionary=True if repeating is None else list(repeating),
                    )
                    writer.write_table(batch)
            finally:
                if writer:
                    writer.close()
            with path.open("rb") as file:
                self._objects.write_file(key, file)
            return path.stat().st_size

    def preflight(self) -> None:
        """Returns when the lake can be listed, read, written and deleted from.

        Raises:
            LakeError: names the exact missing thing.
        """
        for _ in self.checks():
            pass

    def checks(self) -> Iterator[str]:
        """What was found fine, one thing after another, up to the first that is not.

        Raises:
            LakeError: names that thing.
        """
        yield self._objects.setup()
        try:
            yield from self._trials()
        except OSError as error:
            raise LakeError.refused(self.uri, error) from error

    def _trials(self) -> Iterator[str]:
        # A name of its own for each run, since others may try the lake at the same time.
        probe = f"_preflight-{uuid4().hex}.parquet"
        self.exists(probe)
        yield "can be listed"
        # Before anything is written: whoever may only read finds out that reading is fine.
        with suppress(NoObjectError):
            self.read_bytes(probe)
        yield "can be read"
        self.write_parquet(probe, pl.DataFrame({"written": [1]}))
        try:
            yield "can be written"
            self.read_parquet(probe)
            yield "can be scanned by Polars"
        finally:
            self.delete([probe])
        yield "can be deleted from"

    @cached_property
    def _objects(self) -> Objects:
        if not self.uri.startswith("s3://"):
            return LocalObjects(Path(self.uri))
        from lockstep.lake.s3_objects import S3Objects

        bucket, _, prefix = self.uri.removeprefix("s3://").partition("/")
        return S3Objects(bucket, prefix, self.endpoint)
