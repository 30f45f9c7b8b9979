"""A lake in a local folder: an object is a file."""

from __future__ import annotations

import io
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from lockstep.lake.errors import LakeError, NoObjectError

_TRIES = 100
_COPIED_AT_ONCE = 16 * 2**20
_OPEN_FILES = Path("/proc/self/fd")

_T = TypeVar("_T")


@dataclass(frozen=True)
class LocalObjects:
    """Files under `root`; see `Objects`."""

    root: Path

    def versions(self, prefix: str) -> dict[str, str]:
        root = str(self.root).rstrip("/")
        folder, _, _ = f"{root}/{prefix}".rpartition("/")
        files = ((entry.path[len(root) + 1 :], entry) for entry in _files(folder or "/"))
        return {key: _version(entry) for key, entry in files if key.startswith(prefix)}

    def exists(self, key: str) -> bool:
        return (self.root / key).is_file()

    def read_bytes(self, key: str) -> bytes:
        with self._open(key) as file:
            return file.read()

    def read_tail(self, key: str, size: int) -> bytes:
        with self._open(key) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read()

    def read_range(self, key: str, start: int, stop: int) -> bytes:
        with self._open(key) as file:
            file.seek(start)
            return file.read(stop - start)

    def read_chunks(self, key: str, size: int) -> Iterator[bytes]:
        with self._open(key) as file:
            while chunk := file.read(size):
                yield chunk

    def _open(self, key: str) -> BinaryIO:
        try:
            return (self.root / key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NoObjectError.at(str(self.root / key)) from None

    def write_bytes(self, key: str, data: bytes) -> None:
        self.write_file(key, io.BytesIO(data))

    def write_file(self, key: str, file: BinaryIO) -> None:
        target = self.root / key
        temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            with _in_folder(target.parent, lambda: _open_new(temporary)) as copy:
                shutil.copyfileobj(file, copy, _COPIED_AT_ONCE)
                copy.flush()
                os.fsync(copy.fileno())
                _in_folder(target.parent, lambda: _give_name(copy, temporary))
            os.replace(temporary, target)  # noqa: PTH105  the atomic rename is the point
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            (self.root / key).unlink(missing_ok=True)
            self._remove_empty_folders((self.root / key).parent)

    def scan_options(self) -> dict[str, Any]:
        return {}

    def setup(self) -> str:
        return "a local folder"

    def _remove_empty_folders(self, folder: Path) -> None:
        """On S3 a folder ends with its last object; so it does here."""
        with suppress(OSError):
            while folder != self.root:
                folder.rmdir()
                folder = folder.parent


def _files(folder: str) -> Iterator[os.DirEntry[str]]:
    """All files below a folder, but for what is removed meanwhile.

    Of texts, not of paths: 10 us a file instead of 45, and tables are listed before and after
    they are read.

    Raises:
        LakeError: a folder may not be read.
    """
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise LakeError.refused(folder, error) from error
    for entry in entries:
        if not entry.is_dir():
            yield entry
        elif not entry.is_symlink():
            yield from _files(entry.path)


def _version(file: os.DirEntry[str]) -> str:
    """Empty for a file that has just been removed."""
    try:
        stat = file.stat()
    except FileNotFoundError:
        return ""
    return f"{stat.st_ino}-{stat.st_mtime_ns}-{stat.st_size}"


def _in_folder(folder: Path, act: Callable[[], _T]) -> _T:
    """What `act` returns; again where the folder is removed, with what was in it, meanwhile."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError, FileExistsError):
            folder.mkdir(parents=True, exist_ok=True)
            return act()
    return act()


def _open_new(path: Path) -> BinaryIO:
    """A file without a name in the folder of `path`; at `path` where the system has no such files.

    What has no name is gone when its writer is killed, and no reader of the folder sees a half.
    """
    if _OPEN_FILES.is_dir():
        with suppress(OSError):
            return os.fdopen(os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
    return path.open("xb")


def _give_name(file: BinaryIO, path: Path) -> None:
    """Makes `path` the name of a file that has none."""
    descriptor = file.fileno()
    if not os.fstat(descriptor).st_nlink:
        # Python follows this link only where it is given a folder too, which is not looked at.
        os.link(_OPEN_FILES / str(descriptor), path, src_dir_fd=descriptor)


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself outlive a power failure, and in order: the horizon comes last."""
    with suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
