"""Rows of those whom the use case has forgotten: refused before anything is kept of them."""

from __future__ import annotations

import polars as pl

from lockstep.jobs.ingest.check import REASON
from lockstep.lake.forgotten import Forgotten

# No reason of a rejected row, which would be kept as it was.
FORGOTTEN = "forgotten"


def refuse_forgotten(checked: pl.DataFrame, forgotten: Forgotten) -> pl.DataFrame:
    """The checked rows; the reason of those of the forgotten, good or bad, is `FORGOTTEN`."""
    theirs = pl.lit(FORGOTTEN)
    return checked.with_columns(
        pl.when(forgotten.of(checked)).then(theirs).otherwise(REASON).alias(REASON)
    )
