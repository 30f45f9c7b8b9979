"""The account of one historical join: rows, nulls by cause, and a hash that can be checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from lockstep.lake.content_hash import content_hash

_TOO_MANY = 0.5


@dataclass(frozen=True)
class ViewAccount:
    """What `rows` entity rows saw of one view; two accounts add up.

    `nulls` counts by feature the rows that saw a step with a null in it. `future` are rows to
    which a step was visible that was not known at T. `late` are the
    rows whose newest step was created after their T.
    """

    rows: int = 0
    not_found: int = 0
    expired: int = 0
    future: int = 0
    late: int = 0
    nulls: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: ViewAccount) -> ViewAccount:
        return ViewAccount(
            rows=self.rows + other.rows,
            not_found=self.not_found + other.not_found,
            expired=self.expired + other.expired,
            future=self.future + other.future,
            late=self.late + other.late,
            nulls=dict(Counter(self.nulls) + Counter(other.nulls)),
        )


@dataclass(frozen=True)
class JoinReceipt:
    """What a historical join gave.

    `excludes_created_after` says whether steps created after T were left out; `views` are
    accounts by view; `content_hash` is over the output's columns and rows in their order,
    and the same wherever they were computed. `visibility` says what limited the rows to
    what was served; None for all that was known at T.
    """

    rows: int
    first_t: str | None
    last_t: str | None
    features: tuple[str, ...]
    excludes_created_after: bool
    views: Mapping[str, ViewAccount]
    content_hash: str
    visibility: str | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where most of the rows' newest steps were created after their T."""
        verb = "could not see" if self.excludes_created_after else "see"
        return tuple(
            f"{name}: {account.late:,} of {account.rows:,} rows {verb} their newest step, "
            "which was created after their T; created times that are those of an import "
            "hide the history before it"
            for name, account in self.views.items()
            if account.late > _TOO_MANY * account.rows
        )

    def as_json(self) -> dict[str, Any]:
        """The fields and the warnings, as they are written beside a saved dataset."""
        return asdict(self) | {"warnings": list(self.warnings)}

    def verifies(self, rows: pl.DataFrame) -> bool:
        """Whether `rows` are those that were accounted for."""
        return content_hash(rows) == self.content_hash
