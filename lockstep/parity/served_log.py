"""The log of what was served, read back from the lake."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from lockstep.contract.served_log import (
    DAY,
    EVENT_TIMESTAMP,
    FEATURES,
    FEATURES_REQUEST_ID,
    LOGGED_AT,
    REQUEST_ID,
    features_folder,
    predictions_folder,
)
from lockstep.lake.lake import Lake
from lockstep.lake.parquet import collect
from lockstep.parity.errors import ServedLogError

_PREDICTION = (REQUEST_ID, "model_name", "model_version", "alias")
_SERVICE = "feature_service"


@dataclass(frozen=True)
class ServedLog:
    """What the API has logged of one use case, by the days of the log time (UTC).

    Each folder is listed once: what is logged later needs another `ServedLog`. Of `only` some
    days where they are given, and without the objects in `read_before`.
    """

    lake: Lake
    use_case: str
    only: Sequence[date] | None = None
    read_before: frozenset[str] = frozenset()
    _listed: dict[str, dict[date, list[str]]] = field(default_factory=dict, compare=False)

    def keys(self) -> frozenset[str]:
        """The objects of the folders that were listed, those in `read_before` too."""
        return frozenset(
            key for by_day in self._listed.values() for keys in by_day.values() for key in keys
        )

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

    def asked(self, days: Sequence[date]) -> list[str]:
        """The feature services that answered on `days`, by name.

        Raises as `predictions` does.
        """
        names = self._read(self._of(days), pl.col(_SERVICE).unique()).get_column(_SERVICE)
        return sorted(names.unique().to_list())

    def predictions(
        self, days: Sequence[date], service: str, columns: Sequence[str | pl.Expr] = ()
    ) -> pl.DataFrame:
        """What `service` answered on `days`, in the order of the objects; nothing twice.

        When and for which T, by which model, and `columns`: statuses of a million answers do not
        fit beside each other where one needs a few of them.

        Raises:
            ServedLogError: nothing was answered on these days, by any service.
            LakeError: the lake cannot be reached, or an object is damaged.
        """
        known = (*_PREDICTION, EVENT_TIMESTAMP, LOGGED_AT, _SERVICE, "fingerprint")
        rows = self._read(self._of(days), *known, *columns, where=pl.col(_SERVICE) == service)
        return rows.unique(_PREDICTION, keep="first", maintain_order=True)

    def features(
        self, service: str, days: Sequence[date], without: Collection[str] = ()
    ) -> pl.DataFrame:
        """The features that `service` served on `days`, a row a request; none twice.

        A log whose compaction was cut off has rows twice. Columns that are named in `without`
        are not read.

        Raises:
            LakeError: the lake cannot be reached, or an object is damaged.
        """
        by_day = self._keys(features_folder(self.use_case, service))
        keys = [key for day in sorted(days) for key in by_day.get(day, ())]
        if not keys:
            return pl.DataFrame({FEATURES_REQUEST_ID: []}, {FEATURES_REQUEST_ID: pl.String})
        rows = self._read(keys, pl.all().exclude(list(without)))
        return rows.unique(FEATURES_REQUEST_ID, keep="first", maintain_order=True)

    def _of(self, days: Sequence[date]) -> list[str]:
        """The objects of predictions of these days."""
        by_day = self._keys(predictions_folder(self.use_case))
        keys = [key for day in sorted(days) for key in by_day.get(day, ())]
        if not keys:
            raise ServedLogError.nothing(self.use_case)
        return keys

    def _keys(self, folder: str) -> dict[date, list[str]]:
        """The objects of a folder by their day; it is listed once."""
        if folder not in self._listed:
            found: dict[date, list[str]] = {}
            prefix = f"{folder}/{DAY}"
            days = [""] if self.only is None else [f"{day}/" for day in self.only]
            for key in (key for day in days for key in self.lake.list(f"{prefix}{day}")):
                day, _, _ = key.removeprefix(prefix).partition("/")
                if key.endswith(".parquet"):
                    found.setdefault(date.fromisoformat(day), []).append(key)
            self._listed[folder] = found
        new = (
            (day, [key for key in keys if key not in self.read_before])
            for day, keys in self._listed[folder].items()
        )
        return {day: keys for day, keys in new if keys}

    def _read(
        self, keys: Sequence[str], *columns: str | pl.Expr, where: pl.Expr | None = None
    ) -> pl.DataFrame:
        # Objects of older versions may lack columns.
        rows = self.lake.scan_parquet(keys, missing_columns="insert")
        if where is not None:
            rows = rows.filter(where)
        return collect(self.lake, keys, rows.select(*columns))
