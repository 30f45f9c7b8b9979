"""What a place for a lake must be able to do; one module a kind of place implements it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Objects(Protocol):
    """Objects by key, each written whole; `Lake` says what the methods promise."""

    def versions(self, prefix: str) -> dict[str, str]: ...

    def exists(self, key: str) -> bool: ...

    def read_bytes(self, key: str) -> bytes: ...

    def read_tail(self, key: str, size: int) -> bytes: ...

    def read_range(self, key: str, start: int, stop: int) -> bytes: ...

    def read_chunks(self, key: str, size: int) -> Iterator[bytes]: ...

    def write_bytes(self, key: str, data: bytes) -> None: ...

    def delete(self, keys: Sequence[str]) -> None: ...

    def scan_options(self) -> dict[str, Any]:
        """What Polars needs beside the addresses."""
        ...

    def setup(self) -> str:
        """How the place is reached; raises LakeError when that is not said in full."""
        ...
