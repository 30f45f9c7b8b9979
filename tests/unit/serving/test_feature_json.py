"""Features as JSON text: what a document of each value would say."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.feature_vectors import STATUSES
from serving import feature_json as module
from serving.feature_json import FeatureJson
from serving.plan import PlannedFeature
from serving.rows import Read

NUMBERS = st.floats() | st.integers(-(2**53), 2**53).map(float) | st.just(math.nan)
VIEWS = ("cards", 'shop "%s"')


@st.composite
def reads(draw: st.DrawFn) -> Read:
    """Rows of some features of two views; an age is that of a view and a row."""
    kinds = draw(st.lists(st.tuples(st.booleans(), st.sampled_from(VIEWS)), min_size=1, max_size=6))
    features = tuple(
        PlannedFeature(f'%d "{n}" é', view, "Int64" if is_whole else "Float64", "")
        for n, (is_whole, view) in enumerate(kinds)
    )
    rows = draw(st.integers(1, 5))
    ages = {view: draw(st.lists(NUMBERS, min_size=rows, max_size=rows)) for view in VIEWS}
    return Read(
        features,
        np.array([[draw(number(f.is_whole)) for f in features] for _ in range(rows)], np.float64),
        np.array([[draw(CODES) for _ in features] for _ in range(rows)], np.uint8),
        np.array([[ages[f.view][row] for f in features] for row in range(rows)], np.float64),
        np.zeros((rows, len(features)), np.int64),
    )


CODES = st.integers(0, len(STATUSES) - 1)


def number(is_whole: bool) -> st.SearchStrategy[float]:
    """Whole ones lie where int64 has them, or are rounded to its ends."""
    whole = st.integers(-(2**63), 2**63).map(float)
    return whole | st.just(math.nan) if is_whole else NUMBERS


def told(read: Read, row: int, column: int) -> dict[str, Any]:
    """The document of one value."""
    value, age = read.values[row, column], read.ages[row, column]
    is_whole = read.features[column].is_whole
    return {
        "value": plain(int(value) if is_whole and math.isfinite(value) else float(value)),
        "status": STATUSES[read.codes[row, column]].value,
        "age_seconds": plain(float(age)),
    }


def plain(value: float | int) -> float | int | None:
    return value if math.isfinite(value) else None


@given(reads(), st.randoms())
def test_it_says_what_a_document_of_each_value_says(read: Read, random: Any) -> None:
    shown = list(enumerate(read.features))
    random.shuffle(shown)
    for row, text in enumerate(FeatureJson(shown).rows(read)):
        expected = {f.name: told(read, row, column) for column, f in shown}
        found = json.loads(bytes(text))
        assert repr(found) == repr(expected)


@given(reads())
def test_stored_features_have_their_view(read: Read) -> None:
    writer = FeatureJson(list(enumerate(read.features)), with_views=True)
    for row, text in enumerate(writer.rows(read)):
        expected = {
            f.name: told(read, row, column) | {"view": f.view}
            for column, f in enumerate(read.features)
        }
        assert repr(json.loads(bytes(text))) == repr(expected)


def test_texts_that_are_kept_do_not_grow_without_end() -> None:
    features = tuple(PlannedFeature(f"f{n}", "v", "Float64", "") for n in range(6))
    rows = len(STATUSES) ** 4
    codes = np.array([[row // 6**n % 6 for n in range(6)] for row in range(rows)], np.uint8)
    zeros, events = np.zeros((rows, 6)), np.zeros((rows, 6), np.int64)
    read = Read(features, zeros, codes, zeros, events)
    writer = FeatureJson(list(enumerate(features)))
    texts = [json.loads(bytes(text)) for text in writer.rows(read)]
    assert texts[-1] == {f.name: told(read, rows - 1, n) for n, f in enumerate(features)}
    assert len(writer._texts) <= module._MOST_TEXTS
