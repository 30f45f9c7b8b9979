"""What is ingested: one file, or the files of a folder, local or on S3, cut into splits.

Read here only as far as it takes to know what there is: columns, numbers of rows, hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path, PurePosixPath

from lockstep.jobs.ingest.errors import EmptySourceError, IngestError
from lockstep.jobs.ingest.split import Split
from lockstep.jobs.ingest.survey import Survey
from lockstep.lake.lake import Lake
from lockstep.windows.spec import CREATED_TIMESTAMP


@dataclass(frozen=True)
class Place:
    """Where a source is: its files by name, in the order in which their rows count."""

    path: str
    lake: Lake
    files: tuple[str, ...]

    @property
    def is_folder(self) -> bool:
        """Whether the path is not that of its only file."""
        return self.lake.uri == self.path

    @classmethod
    def at(cls, uri: str | Path) -> Place:
        """A file, or a folder with all that is below it but hidden names (`.x`, `_x`).

        Raises:
            IngestError: there is nothing.
            LakeError: the URI names no place, or the server refuses to list it.
        """
        whole = Lake.at(uri)
        folder, _, name = whole.uri.rpartition("/")
        if not folder.endswith(":/"):
            parent = Lake.at(folder or "/")
            if parent.exists(name):
                return cls(whole.uri, parent, (name,))
        files = tuple(key for key in whole.list("") if not _is_hidden(key))
        if not files:
            raise IngestError.no_file(whole.uri)
        return cls(whole.uri, whole, files)


@dataclass(frozen=True)
class Source:
    """Files that are ingested together. A row's place is its file's number and its own.

    `has_created` says whether the files have created times of their own.
    """

    name: str
    sha256: str
    rows: int
    files: tuple[str, ...]
    splits: tuple[Split, ...]
    has_created: bool

    @classmethod
    def of(cls, place: Place, surveys: Sequence[Survey]) -> Source:
        """The source, once all its files are known.

        Raises:
            EmptySourceError: no rows.
            IngestError: created times in some files only.
        """
        surveys = [survey for survey in surveys if survey.rows]
        if not surveys:
            raise EmptySourceError.at(place.path)
        first = surveys[0]
        if others := [s for s in surveys if s.has_created != first.has_created]:
            raise IngestError.mixed_columns(first.path, others[0].path, CREATED_TIMESTAMP)
        return cls(
            name=PurePosixPath(place.path).name,
            sha256=_sha256(place, surveys),
            rows=sum(survey.rows for survey in surveys),
            files=tuple(survey.file for survey in surveys),
            splits=tuple(_splits(place.lake, surveys)),
            has_created=first.has_created,
        )

    @property
    def key(self) -> str:
        """The short name of the content: the same bytes have the same key."""
        return source_key(self.sha256)


def source_key(sha256: str) -> str:
    """The first 16 digits: enough to tell the sources of one lake apart."""
    return sha256[:16]


def _splits(lake: Lake, surveys: Sequence[Survey]) -> list[Split]:
    found: list[Split] = []
    for number, survey in enumerate(surveys):
        counts = [stretch.rows for stretch in survey.stretches]
        for stretch, before in zip(survey.stretches, accumulate(counts, initial=0), strict=False):
            found.append(
                Split(
                    lake=lake,
                    key=survey.file,
                    file=number,
                    format=survey.format,
                    columns=survey.columns,
                    start=stretch.start,
                    stop=stretch.stop,
                    first_row=before + 1,
                    last_row=before + stretch.rows,
                )
            )
    return found


def _sha256(place: Place, surveys: Sequence[Survey]) -> str:
    """One file's own hash; a folder's, over the names and hashes of its files."""
    if not place.is_folder:
        return surveys[0].sha256
    lines = (f"{survey.sha256}  {survey.file}\n" for survey in surveys)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _is_hidden(key: str) -> bool:
    return any(part[0] in "._" for part in PurePosixPath(key).parts)
