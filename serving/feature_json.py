"""The features of answers as JSON text, without an object for each value.

A batch of 1,000 rows has tens of thousands of them. Numbers are encoded a matrix at a time and
cut apart; rows of the same statuses share a text into which they are put.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockstep.stores.feature_vectors import STATUSES
from serving.plan import PlannedFeature
from serving.rows import Read

# There are few in practice; a client cannot make them more without end.
_MOST_TEXTS = 256
_TWO_TO_63 = 2.0**63


class FeatureJson:
    """The documents of `ServedFeature` of some columns of what is read, by name.

    With `with_views` those of `StoredFeature`. Whole features are written as such; null, and
    what JSON has no word for, as null.
    """

    def __init__(
        self, features: Sequence[tuple[int, PlannedFeature]], *, with_views: bool = False
    ) -> None:
        """`features` in the order of the answer, each with its column."""
        self._texts: dict[bytes, bytes] = {}
        self._features = [feature for _, feature in features]
        self._with_views = with_views
        # An age is that of a view: the first of its features has it for all.
        firsts: dict[str, int] = {}
        for column, feature in features:
            firsts.setdefault(feature.view, column)
        real = [column for column, feature in features if not feature.is_whole]
        whole = [column for column, feature in features if feature.is_whole]
        places = [*real, *(None for _ in firsts), *whole]
        ages = {view: len(real) + place for place, view in enumerate(firsts)}
        order = [
            place
            for column, feature in features
            for place in (places.index(column), ages[feature.view])
        ]
        self._ordered = itemgetter(*order)
        self._columns, self._real = _positions(column for column, _ in features), _positions(real)
        self._aged, self._whole = _positions(firsts.values()), _positions(whole)

    def rows(self, read: Read) -> list[msgspec.Raw]:
        """An object for each row."""
        ages = read.ages.take(self._aged, axis=1)
        reals = np.concatenate([read.values.take(self._real, axis=1), ages], axis=1)
        codes, width = read.codes.take(self._columns, axis=1).tobytes(), len(self._columns)
        return [
            msgspec.Raw(self._text(codes[start : start + width]) % self._ordered(real + whole))
            for start, real, whole in zip(
                range(0, len(codes), width), _cut(reals), self._wholes(read), strict=True
            )
        ]

    def _wholes(self, read: Read) -> list[list[bytes]]:
        if not len(self._whole):
            return [[] for _ in read.values]
        values = read.values.take(self._whole, axis=1)
        # NaN too is not below it.
        fits = np.abs(values) < _TWO_TO_63
        if fits.all():
            return _cut(values.astype(np.int64))
        texts = _cut(np.where(fits, values, 0).astype(np.int64))
        for row, column in zip(*(places.tolist() for places in np.nonzero(~fits)), strict=True):
            value = values[row, column]
            texts[row][column] = b"%d" % int(value) if np.isfinite(value) else b"null"
        return texts

    def _text(self, codes: bytes) -> bytes:
        """The object with places for numbers."""
        text = self._texts.get(codes)
        if text is None:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            parts = map(self._part, self._features, codes)
            text = self._texts[codes] = ("{" + ",".join(parts) + "}").encode()
        return text

    def _part(self, feature: PlannedFeature, code: int) -> str:
        view = f',"view":{_quoted(feature.view)}' if self._with_views else ""
        return (
            f'{_quoted(feature.name)}:{{"value":%b,"status":"{STATUSES[code].value}",'
            f'"age_seconds":%b{view}}}'
        )


def _positions(columns: Iterable[int]) -> NDArray[np.intp]:
    return np.array(list(columns), np.intp)


def _cut(numbers: NDArray[np.float64] | NDArray[np.int64]) -> list[list[bytes]]:
    """The text of each number, by row; there is at least one column."""
    text = msgspec.json.encode(numbers.tolist())
    return [row.split(b",") for row in text[2:-2].split(b"],[")]


def _quoted(name: str) -> str:
    return msgspec.json.encode(name).decode().replace("%", "%%")
