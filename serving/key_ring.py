"""The API keys in memory, as the key file has them now."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import structlog

from lockstep.contract.api_keys import (
    ApiKey,
    ApiKeyError,
    NoKeyFileError,
    key_parts,
    read_keys,
    secret_digest,
)

_LOOK_SECONDS = 1.0
_NO_DIGEST = "0" * 64

_log = structlog.get_logger(__name__)


class KeyRing:
    """Finds keys; a changed file counts after a second at the latest.

    While the file cannot be used, or has vanished, the keys read last stay: a restart forgets
    them, and so does a file without keys. Looking at the file blocks for microseconds, reading
    it for some more: it belongs on a local disk.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Reads the file; an absent one holds no keys.

        Raises:
            ApiKeyError: the file is there and cannot be used.
        """
        self._path = path
        self._monotonic = monotonic
        self._why_not = ""
        self._seen: object = None
        self._keys: Mapping[str, ApiKey] = {}
        self._look_at = monotonic() + _LOOK_SECONDS
        with suppress(NoKeyFileError):
            self._read()

    @property
    def keys(self) -> Mapping[str, ApiKey]:
        """The keys by id; another object after each reading, never changed in place."""
        return self._keys

    def find(self, header_value: str, now: datetime) -> ApiKey | None:
        """The key that a client sent, unless it is unknown, revoked or expired at `now`.

        Takes as long for a wrong secret as for a wrong id.
        """
        if self._monotonic() >= self._look_at:
            self._look()
        key_id, secret = key_parts(header_value)
        key = self._keys.get(key_id)
        is_its_secret = hmac.compare_digest(
            secret_digest(secret), _NO_DIGEST if key is None else key.sha256
        )
        if key is None or not is_its_secret or key.has_expired(now):
            return None
        return key

    def _look(self) -> None:
        self._look_at = self._monotonic() + _LOOK_SECONDS
        try:
            self._read()
        except NoKeyFileError as error:
            # Where there never was a file there is nothing to warn of.
            if self._seen is not None:
                self._note(error)
        except ApiKeyError as error:
            self._note(error)

    def _read(self) -> None:
        seen = _marks(self._path)
        if seen is None or seen != self._seen or self._why_not:
            self._keys = {key.id: key for key in read_keys(self._path)}
            self._seen = seen
            self._why_not = ""
            _log.info("API keys read", path=str(self._path), keys=len(self._keys))

    def _note(self, error: ApiKeyError) -> None:
        if str(error) != self._why_not:
            _log.warning("API keys not read; the last ones stay", why=str(error))
        self._why_not = str(error)


def _marks(path: Path) -> object:
    """What differs once the file was changed, or its mode was; None where there is none to see.

    Taken before the file is read: what is changed in between is read a second time.
    """
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size
