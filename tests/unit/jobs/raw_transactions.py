"""Raw card transactions as files have them: good rows to spoil, and writers for each form."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

FIELDS = (
    "TRANSACTION_ID",
    "TX_DATETIME",
    "CUSTOMER_ID",
    "TERMINAL_ID",
    "TX_AMOUNT",
    "TX_TIME_SECONDS",
    "TX_TIME_DAYS",
    "TX_FRAUD",
    "TX_FRAUD_SCENARIO",
)
START = datetime(2018, 4, 1, 0, 0, 31)  # noqa: DTZ001  naive, as in the handbook's file
COMMENT = "# tranaction_id | tx_datetime | customer_id | terminal_id | tx_amount | ... \n"


def good_rows(count: int, *, first_id: int = 0, hours_apart: int = 7) -> pl.DataFrame:
    """`count` valid transactions in the handbook's types, `hours_apart` from each other."""
    ids = range(first_id, first_id + count)
    times = [START + timedelta(hours=hours_apart * n) for n in range(count)]
    return pl.DataFrame(
        {
            "TRANSACTION_ID": ids,
            "TX_DATETIME": times,
            "CUSTOMER_ID": [n % 5 for n in ids],
            "TERMINAL_ID": [n % 3 for n in ids],
            "TX_AMOUNT": [57.16 + n for n in ids],
            "TX_TIME_SECONDS": [31 + 3_600 * hours_apart * n for n in range(count)],
            "TX_TIME_DAYS": [(31 + 3_600 * hours_apart * n) // 86_400 for n in range(count)],
            "TX_FRAUD": [int(n % 4 == 0) for n in ids],
            "TX_FRAUD_SCENARIO": [2 * int(n % 4 == 0) for n in ids],
        },
        schema_overrides={"TX_DATETIME": pl.Datetime("us")},
    )


def as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with every value as a file of text would hold it."""
    times = pl.col(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M:%S")
    return rows.with_columns(times).cast(pl.String)


def spoiled(rows: pl.DataFrame, row: int, **values: Any) -> pl.DataFrame:
    """`rows` as text with other values in one row."""
    text = as_text(rows).with_row_index("n")
    return text.with_columns(
        pl.when(pl.col("n") == row).then(pl.lit(value, pl.String)).otherwise(name).alias(name)
        for name, value in values.items()
    ).drop("n")


def write_csv(path: Path, rows: pl.DataFrame) -> Path:
    """The file at `path`, with a header."""
    as_text(rows).write_csv(path)
    return path


def write_parquet(path: Path, rows: pl.DataFrame) -> Path:
    """The file at `path`."""
    rows.write_parquet(path)
    return path


def write_headerless(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """The file at `path` in the nine-column form of older exports."""
    path.write_text(COMMENT + "".join(",".join(row) + "\n" for row in rows))
    return path
