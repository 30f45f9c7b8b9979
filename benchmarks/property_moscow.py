"""The Moscow flats of the older system: `python -m benchmarks.property_moscow`; some ten seconds.

The file has buildings and no dates, so there are no windows and nothing is earlier or later: all
flats of a building are in one of five folds, and each fold is judged by a model of the other
four. What is stated of a flat comes through the platform's own function. The baseline is the
median price of a square metre of the four folds, times the area. Intervals are a bootstrap of whole
buildings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.on_demand.property import describe_flat
from lockstep.contract.name_id import name_id
from lockstep.contract.property import ATTRIBUTES, NOT_STATED
from training.bootstrap import Days, Interval, by_day
from training.fit import FitParameters, matrix, pool, refitted
from training.operating_points import Floats
from training.scored_rows import ScoredRows
from training.tasks.quantiles import Quantiles
from training.use_case import LABEL, load_use_case
from training.walk_forward import joined

FOLDS = 5
BASELINE = "median_of_a_square_metre"
TASK = Quantiles("roubles", baseline=BASELINE)
# No validation fold: none of these was chosen on the file.
PARAMETERS = FitParameters(iterations=500, depth=5)
# In the file's order: what a column is called here, and how many units one of its is.
COLUMNS = {
    "total_area": ("total_area_dm2", 100),
    "living_area": ("living_area_dm2", 100),
    "kitchen_area": ("kitchen_area_dm2", 100),
    "rooms": ("rooms", 1),
    "floor": ("floor", 1),
    "floors_total": ("floors_total", 1),
    "ceiling_height": ("ceiling_height_cm", 100),
    "is_apartment": ("is_apartment", 1),
    "studio": ("studio", 1),
    "latitude": ("latitude_e6", 1_000_000),
    "longitude": ("longitude_e6", 1_000_000),
}
# What the file says beyond it, as it stands there.
FURTHER = ("build_year", "building_type_int", "flats_count", "has_elevator")


def flats() -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Each flat with its price, the number of its fold, and the names of its features."""
    raw = pl.read_csv(Path(os.environ["LOCKSTEP_REAL_DATA"]) / "moscow_flats_1k.csv")
    units = {name: (raw[column] * unit).round() for column, (name, unit) in COLUMNS.items()}
    # An area of zero is one that is not stated.
    stated = {
        name: np.where(values > 0, values, NOT_STATED) if name.endswith("_dm2") else values
        for name, values in units.items()
    }
    absent = {name: np.full(raw.height, NOT_STATED) for name in ATTRIBUTES if name not in stated}
    nothing = {
        f"{entity}_price_m2_roubles_median_{window}": np.full(raw.height, np.nan)
        for entity in ("locality", "district", "cell")
        for window in ("90d", "365d")
    }
    times = {"listing_time_us": np.zeros(raw.height)}
    described = pl.DataFrame(describe_flat(stated | absent | nothing | times)).fill_nan(None)
    known = [name for name in described.columns if described[name].null_count() < raw.height]
    features = tuple(name for name in known if name != "listing_years") + FURTHER
    buildings = raw["building_id"].cast(pl.Int64)
    folds = [name_id(f"building {building}") % FOLDS for building in buildings]
    rows = pl.concat([described.select(known), raw.select(FURTHER)], how="horizontal").with_columns(
        raw["target"].alias(LABEL), buildings.alias("building"), pl.Series("fold", folds)
    )
    return rows, features


def scored(rows: pl.DataFrame, names: tuple[str, ...]) -> ScoredRows:
    """All flats, each by a model that knows no flat of its building."""
    use_case, parts = replace(load_use_case("property"), task=TASK, slices={}), []
    for fold in range(FOLDS):
        fit, test = rows.filter(pl.col("fold") != fold), rows.filter(pl.col("fold") == fold)
        assert not set(fit["building"]) & set(test["building"])
        model = refitted(TASK, pool(fit, names, TASK), PARAMETERS, trees=PARAMETERS.iterations)
        outputs = TASK.undecided.outputs(model, matrix(test, names), threads=-1)
        metre = (fit[LABEL] / fit["total_area"]).median()
        test = test.with_columns((pl.col("total_area") * metre).alias(BASELINE))
        parts.append(TASK.scored(test, outputs, TASK.undecided, use_case))
    return joined(parts)


def intervals(found: ScoredRows) -> Mapping[str, Interval]:
    """The metrics, with intervals by building."""
    buildings, of_row = np.unique(found.rows["building"].to_numpy(), return_inverse=True)
    blocks = Days(of_row.astype(np.int64), len(buildings))

    def metrics(of_blocks: Floats) -> dict[str, float]:
        return found.own_metrics(blocks.weights(of_blocks))

    return by_day(metrics, blocks.count)


def main() -> None:
    """Prints every figure."""
    rows, names = flats()
    sys.stdout.write(f"{rows.height} flats of {rows['building'].n_unique()} buildings\n")
    for name, one in intervals(scored(rows, names)).items():
        sys.stdout.write(f"{name:25} {one.value:.4f} [{one.low:.4f}, {one.high:.4f}]\n")


if __name__ == "__main__":
    main()
