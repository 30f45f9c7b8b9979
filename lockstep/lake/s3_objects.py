"""A lake under a prefix of an S3 bucket: written through boto3, scanned by Polars."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from lockstep.lake.s3_errors import S3Error, s3_errors

if TYPE_CHECKING:
    from boto3.session import Session

# A server that is gone is an error after seconds, one that never answers after a minute or two.
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_ATTEMPTS = 3
# The most that one request may name.
_DELETED_AT_ONCE = 1000
_CREDENTIAL_SECONDS = 300


@dataclass(frozen=True)
class S3Objects:
    """Objects under `bucket/prefix`; see `Objects`.

    Endpoint, region and credentials are found as boto3 finds them: environment, profile,
    role. `AWS_REGION` counts too; a server of one's own needs no region. A single PUT is
    atomic and leaves nothing behind when it breaks off, so every object is one PUT: 5 GB.
    """

    bucket: str
    prefix: str
    endpoint: str | None = None

    def versions(self, prefix: str) -> dict[str, str]:
        with self._errors("list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._full(prefix)
            )
            found = [entry for page in pages for entry in page.get("Contents", ())]
        return {
            entry["Key"].removeprefix(self._full("")): f"{entry['ETag']} {entry['LastModified']}"
            for entry in found
        }

    def exists(self, key: str) -> bool:
        # Not a HEAD: its errors have no body, so that nobody could tell what is wrong.
        with self._errors("list"):
            answer = self._client.list_objects_v2(
                Bucket=self.bucket, Prefix=self._full(key), MaxKeys=1
            )
        return any(found["Key"] == self._full(key) for found in answer.get("Contents", ()))

    def read_bytes(self, key: str) -> bytes:
        return b"".join(self._chunks(key, None))

    def read_tail(self, key: str, size: int) -> bytes:
        return b"".join(self._chunks(key, None, Range=f"bytes=-{size}"))

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        return b"".join(self._chunks(key, None, Range=f"bytes={start}-{stop - 1}"))

    def read_chunks(self, key: str, size: int) -> Iterator[bytes]:
        return self._chunks(key, size)

    def _chunks(self, key: str, size: int | None, **options: str) -> Iterator[bytes]:
        with self._errors("read", key):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._full(key), **options)
            while chunk := answer["Body"].read(size):
                yield chunk

    def write_bytes(self, key: str, data: bytes) -> None:
        with self._errors("write", key):
            self._client.put_object(Bucket=self.bucket, Key=self._full(key), Body=data)

    def write_file(self, key: str, file: BinaryIO) -> None:
        with self._errors("write", key):
            self._client.put_object(Bucket=self.bucket, Key=self._full(key), Body=file)

    def delete(self, keys: Sequence[str]) -> None:
        for first in range(0, len(keys), _DELETED_AT_ONCE):
            some = [{"Key": self._full(key)} for key in keys[first : first + _DELETED_AT_ONCE]]
            with self._errors("delete"):
                answer = self._client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": some, "Quiet": True}
                )
            for kept in answer.get("Errors", ()):
                raise S3Error.of_code(
                    kept["Code"],
                    kept.get("Message", ""),
                    action="delete",
                    address=f"s3://{self.bucket}/{kept['Key']}",
                )

    def scan_options(self) -> dict[str, Any]:
        return {
            "storage_options": {
                "aws_endpoint_url": self._client.meta.endpoint_url,
                "aws_region": self._client.meta.region_name,
                "aws_allow_http": "true",
                "connect_timeout": f"{_CONNECT_SECONDS}s",
                "timeout": f"{_READ_SECONDS}s",
                "max_retries": _ATTEMPTS - 1,
                "retry_timeout_ms": _ATTEMPTS * _READ_SECONDS * 1000,
            },
            "credential_provider": self._polars_credentials,
        }

    def setup(self) -> str:
        return f"{self._client.meta.endpoint_url}, region {self._client.meta.region_name}"

    def __getstate__(self) -> dict[str, str | None]:
        """What is sent to another process: not the connection."""
        return {"bucket": self.bucket, "prefix": self.prefix, "endpoint": self.endpoint}

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _errors(self, action: str, key: str = "") -> AbstractContextManager[None]:
        return s3_errors(action, f"s3://{self.bucket}/{self._full(key)}".rstrip("/"))

    @cached_property
    def _session(self) -> Session:
        from boto3.session import Session

        # Feast makes INFO the level of all, at which botocore tells where it found each setting.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        return Session(region_name=os.environ.get("AWS_REGION") or None)

    @cached_property
    def _client(self) -> Any:
        """One client for all threads.

        Raises:
            S3Error: credentials or a region are not set, or are nonsense.
        """
        from botocore.config import Config

        address = f"s3://{self.bucket}"
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        )
        with s3_errors("open", address):
            client = self._session.client("s3", endpoint_url=self.endpoint, config=config)
            credentials = self._session.get_credentials()
        if credentials is None:
            raise S3Error.no_credentials(address)
        # Without a region boto3 would guess one, which Polars then takes for the bucket's.
        if self._session.region_name is None and ".amazonaws." in client.meta.endpoint_url:
            raise S3Error.no_region(address)
        return client

    def _polars_credentials(self) -> tuple[dict[str, str], int]:
        """What boto3 signs with, and until when (seconds since 1970): Polars asks again then.

        boto3 renews temporary credentials well before they end, so these are good for longer.
        """
        with self._errors("read"):
            found: Any = self._session.get_credentials()
            now = found.get_frozen_credentials()
        named = {
            "aws_access_key_id": now.access_key,
            "aws_secret_access_key": now.secret_key,
            "aws_session_token": now.token,
        }
        held = {name: value for name, value in named.items() if value}
        return held, int(time.time()) + _CREDENTIAL_SECONDS
