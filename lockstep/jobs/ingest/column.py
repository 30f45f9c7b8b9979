"""How a use case declares the columns of its files, and what can be wrong with a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED

ColumnType = Literal["integer", "decimal", "timestamp", "flag", "name"]

INT64_MAX = 2**63 - 1
YEAR_2100_US = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


class Problem(StrEnum):
    """Why a value, or the row that has it, is rejected."""

    NULL = "null"
    NOT_AN_INTEGER = "not_an_integer"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_FLAG = "not_a_flag"
    NOT_A_TIMESTAMP = "not_a_timestamp"
    OFF_GRID = "off_grid"
    OTHER_ZONE = "other_zone"
    TOO_PRECISE = "too_precise"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    BELOW_ANOTHER = "below_another"
    DUPLICATE_ID = "duplicate_id"
    CONFLICTING_ID = "conflicting_id"
    CONTRADICTION = "contradiction"
    OLDER_THAN_STORED = "older_than_stored"
    NOTHING_TO_DELETE = "nothing_to_delete"


OUT_OF_RANGE = (Problem.TOO_SMALL, Problem.TOO_LARGE)


@dataclass(frozen=True)
class Column:
    """One column of a file and the int64 that is stored for it.

    An `integer` is stored as it is; a `decimal` as value * 10**scale, exactly, or where it is
    `rounded`, as what was measured may be, to the nearest unit; a `timestamp` as microseconds
    since 1970 UTC; a `flag`, true or false, as 1 or 0; a `name` as its `name_id`. `minimum` and
    `maximum` are inclusive and in the stored unit. A column that is not `required` may be left
    out of a file; `default` is stored then. `aliases` are other names, in lower case, that files
    have for it.
    `shift_us` is added to a timestamp, such as what turns a bar's beginning into its end; before
    that it must be a multiple of `grid_us`, where there is one.
    """

    name: str
    type: ColumnType
    minimum: int = 0
    maximum: int = INT64_MAX
    scale: int = 0
    nullable: bool = False
    required: bool = True
    default: int | None = None
    aliases: tuple[str, ...] = ()
    shift_us: int = 0
    grid_us: int | None = None
    rounded: bool = False


# What every use case's files may have: when the row reached the sender's system, and whether
# it takes the row of its id back.
ARRIVAL = (
    Column(CREATED_TIMESTAMP, "timestamp", maximum=YEAR_2100_US - 1, required=False),
    Column(DELETED, "integer", maximum=1, required=False, default=0),
)
