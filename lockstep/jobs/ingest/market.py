"""Price bars (candles) of assets, from files in the columns of an exchange's export.

A file stamps a bar with the beginning of its interval. The bar is known at its end, so that
is its event time here: beginning plus interval. Prices and volumes are whole numbers of
millionths: an indicator is a ratio, so one scale does for all assets.

One table has the bars of one interval, of any number of assets. Of an asset there is one
bar an end.
"""

from __future__ import annotations

import polars as pl

from lockstep.jobs.ingest.column import ARRIVAL, YEAR_2100_US, Column
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.spec import IngestSpec, OutputTable
from lockstep.windows.duration import duration_us

DEFAULT_INTERVAL = "4h"
# Digits after the point of a price in the quote currency, and of a volume in the asset.
DECIMALS = 6
# A hundred million of the quote currency, and a thousand million of the asset.
MAX_PRICE_TICKS = 10**8 * 10**DECIMALS
MAX_VOLUME_LOTS = 10**9 * 10**DECIMALS

# So many assets have ids, from 0: a bar's own id is its minute and its asset's.
MAX_ASSETS = 2**20
_MINUTE_US = 60_000_000
_DAY_US = 1_440 * _MINUTE_US

_PRICES = ("open", "high", "low", "close")
_KEY = ("bar_close_us", "asset_id")


def bar_table(interval: str = DEFAULT_INTERVAL) -> str:
    """The lake table of the bars of one interval.

    >>> bar_table()
    'market/bars_4h'
    """
    return f"market/bars_{interval}"


def ingest_spec(*, asset_id: int | None = None, interval: str = DEFAULT_INTERVAL) -> IngestSpec:
    """How bars are ingested; `asset_id` is that of a file which has no such column.

    Raises:
        WindowSpecError: the interval is no length of time.
        IngestError: the id is no asset's.
    """
    if asset_id is not None and not 0 <= asset_id < MAX_ASSETS:
        raise IngestError.out_of_range("asset-id", asset_id, f"0 to {MAX_ASSETS - 1:,}")
    length = duration_us(interval)
    price = {"scale": DECIMALS, "minimum": 1, "maximum": MAX_PRICE_TICKS}
    end = Column(
        "bar_close_us",
        "timestamp",
        maximum=YEAR_2100_US - 1,
        aliases=("timestamp", "timekey", "open_time"),
        shift_us=length,
        # Bars of another length are not taken for these. Weeks begin on any day.
        grid_us=length if _DAY_US % length == 0 else None,
    )
    columns = (
        end,
        *(Column(name, "decimal", **price) for name in _PRICES),
        Column("volume", "decimal", scale=DECIMALS, maximum=MAX_VOLUME_LOTS),
        Column(
            "asset_id",
            "integer",
            maximum=MAX_ASSETS - 1,
            required=asset_id is None,
            default=asset_id,
        ),
    )
    return IngestSpec(
        use_case="market",
        columns=(*columns, *ARRIVAL),
        headerless=tuple(c.name for c in columns if c.required),
        key=_KEY,
        event_time="bar_close_us",
        tables=(OutputTable(bar_table(interval), bars),),
        rejected=f"{bar_table(interval)}_rejected",
        never_below=(
            *(("high", name) for name in ("open", "low", "close")),
            ("open", "low"),
            ("close", "low"),
        ),
    )


def bars(rows: pl.DataFrame) -> pl.DataFrame:
    """What each bar said at its end; `bar_id` grows with time, and a float64 holds it."""
    minute = pl.col("bar_close_us") // _MINUTE_US
    return rows.select(
        *_KEY,
        (minute * MAX_ASSETS + pl.col("asset_id")).alias("bar_id"),
        pl.col("bar_close_us").cast(pl.Datetime("us", "UTC")).alias("event_timestamp"),
        pl.col("created_timestamp").cast(pl.Datetime("us", "UTC")),
        *(pl.col(name).alias(f"{name}_ticks") for name in _PRICES),
        pl.col("volume").alias("volume_lots"),
    )
