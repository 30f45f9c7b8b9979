"""The log of what was served, read back from the lake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl

from lockstep.contract.served_log import (
    DAY,
    FEATURES,
    FEATURES_REQUEST_ID,
    REQUEST_ID,
    features_folder,
    predictions_folder,
)
from lockstep.lake.lake import Lake
from lockstep.lake.parquet import collect
from lockstep.parity.errors import ServedLogError

_PREDICTION = (REQUEST_ID, "model_name", "model_version", "alias")


@dataclass(frozen=True)
class ServedLog:
    """What the API has logged of one use case, by the days of the log time (UTC)."""

    lake: Lake
    use_case: str

    def days(self) -> list[date]:
        """The days that have predictions, oldest first.

        Raises:
            LakeError: the lake cannot be reached.
        """
        return sorted(self._predictions)

    def services(self) -> list[str]:
        """The feature services that were ever logged, by name.

        Raises:
            LakeError: the lake cannot be reached.
        """
        place = f"{self.use_case}/{FEATURES}/"
        return sorted({key.removeprefix(place).split("/")[0] for key in self.lake.list(place)})

    def predictions(self, days: Sequence[date]) -> pl.DataFrame:
        """All predictions that were logged on `days`, in the order of their objects; none twice.

        Raises:
            ServedLogError: there are none.
            LakeError: the lake cannot be reached, or an object is damaged.
        """
        keys = [key for day in sorted(days) for key in self._predictions.get(day, ())]
        if not keys:
            raise ServedLogError.nothing(self.use_case)
        return self._read(keys).unique(_PREDICTION, keep="first", maintain_order=True)

    def features(self, service: str, days: Sequence[date]) -> pl.DataFrame:
        """The features that `service` served on `days`, a row a request; none twice.

        A log whose compaction was cut off has rows twice.

        Raises:
            LakeError: the lake cannot be reached, or an object is damaged.
        """
        by_day = self._keys(features_folder(self.use_case, service))
        keys = [key for day in sorted(days) for key in by_day.get(day, ())]
        if not keys:
            return pl.DataFrame({FEATURES_REQUEST_ID: []}, {FEATURES_REQUEST_ID: pl.String})
        return self._read(keys).unique(FEATURES_REQUEST_ID, keep="first", maintain_order=True)

    @cached_property
    def _predictions(self) -> dict[date, list[str]]:
        return self._keys(predictions_folder(self.use_case))

    def _keys(self, folder: str) -> dict[date, list[str]]:
        """The objects of a folder by their day."""
        found: dict[date, list[str]] = {}
        prefix = f"{folder}/{DAY}"
        for key in self.lake.list(prefix):
            day, _, _ = key.removeprefix(prefix).partition("/")
            if key.endswith(".parquet"):
                found.setdefault(date.fromisoformat(day), []).append(key)
        return found

    def _read(self, keys: Sequence[str]) -> pl.DataFrame:
        # Objects of older versions may lack columns.
        rows = self.lake.scan_parquet(keys, missing_columns="insert")
        return collect(self.lake, keys, rows)
