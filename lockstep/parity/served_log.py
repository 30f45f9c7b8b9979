"""The log of what was served, read back from the lake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

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
    """What the API has logged of one use case, by the days of the log time (UTC).

    Each folder is listed once: what is logged later needs another `ServedLog`.
    """

    lake: Lake
    use_case: str
    _listed: dict[str, dict[date, list[str]]] = field(default_factory=dict, compare=False)

    def days(self) -> list[date]:
        """The days that have predictions, oldest first.

        Raises:
            LakeError: the lake cannot be reached.
        """
        return sorted(self._keys(predictions_folder(self.use_case)))

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
        by_day = self._keys(predictions_folder(self.use_case))
        keys = [key for day in sorted(days) for key in by_day.get(day, ())]
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

    def _keys(self, folder: str) -> dict[date, list[str]]:
        """The objects of a folder by their day; it is listed once."""
        if folder not in self._listed:
            found: dict[date, list[str]] = {}
            prefix = f"{folder}/{DAY}"
            for key in self.lake.list(prefix):
                day, _, _ = key.removeprefix(prefix).partition("/")
                if key.endswith(".parquet"):
                    found.setdefault(date.fromisoformat(day), []).append(key)
            self._listed[folder] = found
        return self._listed[folder]

    def _read(self, keys: Sequence[str]) -> pl.DataFrame:
        # Objects of older versions may lack columns.
        rows = self.lake.scan_parquet(keys, missing_columns="insert")
        return collect(self.lake, keys, rows)
