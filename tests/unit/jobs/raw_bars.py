"""Price bars as an exchange exports them, good and spoiled."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

START = datetime(2023, 1, 1)
HOUR = timedelta(hours=1)


def raw_bars(count: int = 6, **columns: object) -> pl.DataFrame:
    """Bars of four hours each, as text."""
    frame = pl.DataFrame(
        {
            "timestamp": [str(START + 4 * n * HOUR) for n in range(count)],
            "open": [f"{100 + n}.5" for n in range(count)],
            "high": [f"{103 + n}.25" for n in range(count)],
            "low": [f"{99 + n}" for n in range(count)],
            "close": [f"{101 + n}.000001" for n in range(count)],
            "volume": [f"{n}.25" for n in range(count)],
        }
    )
    return frame.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def spoiled(rows: pl.DataFrame, at: int, **values: str) -> pl.DataFrame:
    """The same rows with other values in one of them."""
    here = pl.int_range(pl.len()) == at
    return rows.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(name).alias(name)
        for name, value in values.items()
    )


def write(path: Path, rows: pl.DataFrame) -> Path:
    """The file, as CSV, JSON or parquet by its name."""
    match path.suffix:
        case ".json":
            rows.write_json(path)
        case ".parquet":
            rows.write_parquet(path)
        case _:
            rows.write_csv(path)
    return path
