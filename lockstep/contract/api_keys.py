"""API keys as the command line writes them and the server reads them: one JSON file.

Only a digest of a key's secret is kept; the key itself is seen once, by whoever makes it.
What a server does with keys is in `serving/`.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import re
import secrets
import shlex
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from lockstep.errors import LockstepError

_VERSION: Literal[1] = 1
# Its group may read it: that is how Kubernetes mounts a secret with fsGroup.
_FORBIDDEN = 0o037
_KEY = re.compile(r"lsk_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", re.ASCII)


class ApiKeyError(LockstepError):
    """API keys that cannot be made, found or read."""

    @classmethod
    def unreadable(cls, path: Path, why: str) -> ApiKeyError:
        return cls(f"the key file {path} cannot be read ({why})", next_step="mend or restore it")

    @classmethod
    def open_to_others(cls, path: Path, mode: int) -> ApiKeyError:
        return cls(
            f"the key file {path} has mode {mode & 0o777:04o}, expected 0640 at most",
            next_step=f"run `chmod 600 {shlex.quote(str(path))}`",
        )

    @classmethod
    def unknown_id(cls, key_id: str) -> ApiKeyError:
        return cls(f"there is no key {key_id[:40]!r}", next_step="see `lockstep keys list`")

    @classmethod
    def taken_id(cls, key_id: str) -> ApiKeyError:
        return cls(f"there is a key {key_id!r} already", next_step="make another one")

    @classmethod
    def bad_scope(cls, text: str) -> ApiKeyError:
        known = [scope.value for scope in Scope]
        return cls(f"{text[:40]!r} is not a scope", next_step=f"use some of {known}")

    @classmethod
    def no_scope(cls) -> ApiKeyError:
        return cls("a key without a scope opens nothing", next_step="give it one or more scopes")

    @classmethod
    def bad_name(cls, name: str) -> ApiKeyError:
        return cls(f"{name[:80]!r} is not a name", next_step="use 1 to 80 printable characters")

    @classmethod
    def bad_rate(cls, rate: float) -> ApiKeyError:
        return cls(f"{rate} requests a second is no limit", next_step="use a number above 0")


class NoKeyFileError(ApiKeyError):
    """There is no key file yet."""

    @classmethod
    def at(cls, path: Path) -> NoKeyFileError:
        return cls(f"there is no key file {path}", next_step="run `lockstep keys add NAME`")


class Scope(StrEnum):
    """What a key may be used for; none includes another."""

    PREDICT = "predict"
    READ = "read"
    ADMIN = "admin"

    @classmethod
    def named(cls, texts: Iterable[str]) -> frozenset[Scope]:
        """The scopes of these names.

        Raises:
            ApiKeyError: one of them is not a scope.

        >>> sorted(Scope.named(["read", "predict"]))
        [<Scope.PREDICT: 'predict'>, <Scope.READ: 'read'>]
        """
        known = {scope.value: scope for scope in cls}
        for text in texts:
            if text not in known:
                raise ApiKeyError.bad_scope(text)
        return frozenset(known[text] for text in texts)


@dataclass(frozen=True)
class ApiKey:
    """One key, without its secret; times are UTC.

    `requests_per_second` of None is no limit; `burst` is how many requests may then come at
    once. From `expires` on the key opens nothing.
    """

    # A misspelt field of a file edited by hand must not read as "never expires".
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[frozenset[Scope], Field(min_length=1), PlainSerializer(sorted)]
    requests_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    burst: Annotated[int, Field(ge=1)]
    created: AwareDatetime
    expires: AwareDatetime | None

    def has_expired(self, now: datetime) -> bool:
        """Whether it opens nothing any more."""
        return self.expires is not None and now >= self.expires


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    keys: tuple[ApiKey, ...]


def new_key(
    name: str,
    scopes: frozenset[Scope],
    *,
    now: datetime,
    requests_per_second: float | None = None,
    burst: int | None = None,
    days: int | None = None,
) -> tuple[ApiKey, str]:
    """A key, and the text of it that its user sends; nothing can tell that text again.

    A `burst` of None is the requests of one second; `days` of None never expires.

    Raises:
        ApiKeyError: the name is empty or not printable, there is no scope, the rate is not
            above 0.
    """
    if not (name.isprintable() and 1 <= len(name) <= 80):
        raise ApiKeyError.bad_name(name)
    if not scopes:
        raise ApiKeyError.no_scope()
    rate = requests_per_second
    if rate is not None and not 0 < rate < math.inf:
        raise ApiKeyError.bad_rate(rate)
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        id=secrets.token_hex(4),
        name=name,
        sha256=secret_digest(secret),
        scopes=scopes,
        requests_per_second=rate,
        burst=burst or math.ceil(rate or 1),
        created=now,
        expires=None if days is None else now + timedelta(days=days),
    )
    return key, f"lsk_{key.id}_{secret}"


def key_parts(text: str) -> tuple[str, str]:
    """The id and the secret of a key's text; both empty where it is none.

    >>> key_parts("lsk_0123abcd_" + "x" * 43) == ("0123abcd", "x" * 43)
    True
    >>> key_parts("password")
    ('', '')
    """
    match = _KEY.fullmatch(text)
    return (match[1], match[2]) if match else ("", "")


def secret_digest(secret: str) -> str:
    """What is kept of a secret: 32 random bytes need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of the file, in the order in which they were added.

    Raises:
        NoKeyFileError: it is absent.
        ApiKeyError: it is damaged, has two keys of one id, its group may do more than read it, or
            others may do anything.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError:
        raise NoKeyFileError.at(path) from None
    except OSError as error:
        raise ApiKeyError.unreadable(path, error.strerror or type(error).__name__) from error
    if mode & _FORBIDDEN:
        raise ApiKeyError.open_to_others(path, mode)
    try:
        keys = _KeyFile.model_validate_json(text).keys
    except ValidationError as error:
        # Its place and its reason, never what stands there.
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ApiKeyError.unreadable(path, f"{place}: {first['msg']}") from None
    if len({key.id for key in keys}) < len(keys):
        raise ApiKeyError.unreadable(path, "two keys have the same id")
    return keys


def add_key(path: Path, key: ApiKey) -> None:
    """Adds a key to the file, which is made where there is none.

    Raises:
        ApiKeyError: the file cannot be read, or has a key of that id.
    """
    with _locked(path):
        keys: tuple[ApiKey, ...] = ()
        with suppress(NoKeyFileError):
            keys = read_keys(path)
        if any(other.id == key.id for other in keys):
            raise ApiKeyError.taken_id(key.id)
        _write(path, (*keys, key))


def revoke_key(path: Path, key_id: str) -> ApiKey:
    """The key that is no longer in the file.

    Raises:
        ApiKeyError: the file cannot be read, or has no key of that id.
    """
    with _locked(path):
        keys = {key.id: key for key in read_keys(path)}
        if key_id not in keys:
            raise ApiKeyError.unknown_id(key_id)
        revoked = keys.pop(key_id)
        _write(path, tuple(keys.values()))
    return revoked


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody else changes the file inside the block; the system frees the lock of the dead."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    text = _KeyFile(version=_VERSION, keys=keys).model_dump_json(indent=2)
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105  the atomic rename is the point
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Makes the rename outlive a power failure: what was revoked stays revoked."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
