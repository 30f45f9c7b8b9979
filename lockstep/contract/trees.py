"""A CatBoost model's trees without CatBoost's pool: the same scores, a row in 3 us, not 103.

With 293 trees of depth 6 and 25 features; 1,000 rows take .42 ms and .61 ms with CatBoost on one
thread. Whether the trees say the same is not taken on trust: probes at the model's borders are
compared with CatBoost bit by bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from lockstep.contract._trees import pack, score
except ImportError:
    IS_COMPILED = False
else:
    IS_COMPILED = True

_NULL_IS_HIGH = "AsTrue"
_SPLIT = np.dtype([("feature", np.int32), ("border", np.float32)])
_PROBES = 256


@dataclass(frozen=True)
class Trees:
    """The packed trees of a model."""

    packed: Any

    @classmethod
    def of(cls, model: Any) -> Trees | None:
        """The trees of a CatBoost classifier; None where CatBoost has to score it.

        That is a model of more than two classes, with text or categories, or with trees that
        are not symmetric; one that a probe tells from CatBoost; or where `_trees.c` was not
        built.
        """
        told = _exported(model) if IS_COMPILED else {}
        if not _is_plain(told):
            return None
        trees = cls(_packed(told))
        probes = _probes(told["features_info"]["float_features"])
        expected = np.asarray(model.predict(probes, prediction_type="Probability"))[:, 1]
        return trees if np.array_equal(trees.scores(probes), expected) else None

    def scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of the positive class for each row of (rows, features); NaN is null.

        Raises:
            ValueError: the rows have another number of features.
        """
        rows = np.ascontiguousarray(rows, np.float64)
        out = np.empty(len(rows))
        score(self.packed, rows, out)
        return out


def _exported(model: Any) -> Mapping[str, Any]:
    """The model as CatBoost tells it in JSON; empty where it has no such form."""
    from catboost import CatBoostError

    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            model.save_model(str(path), format="json")
        except CatBoostError:
            return {}
        told: dict[str, Any] = json.loads(path.read_bytes())
    return told


def _is_plain(told: Mapping[str, Any]) -> bool:
    """Whether it has symmetric trees over numbers, and one score."""
    if "oblivious_trees" not in told or set(told["features_info"]) != {"float_features"}:
        return False
    scale, biases = told["scale_and_bias"]
    numbers = all(
        split["split_type"] == "FloatFeature"
        for tree in told["oblivious_trees"]
        for split in tree["splits"] or ()
    )
    return numbers and len(biases) == 1


def _packed(told: Mapping[str, Any]) -> Any:
    trees, (scale, (bias,)) = told["oblivious_trees"], told["scale_and_bias"]
    treatments = [f["nan_value_treatment"] for f in told["features_info"]["float_features"]]
    splits = [
        (split["float_feature_index"], split["border"])
        for tree in trees
        for split in tree["splits"] or ()
    ]
    return pack(
        np.array([treatment == _NULL_IS_HIGH for treatment in treatments], np.uint8),
        np.array([len(tree["splits"] or ()) for tree in trees], np.int32),
        np.array(splits, _SPLIT),
        np.array([leaf for tree in trees for leaf in tree["leaf_values"]], np.float64),
        scale,
        bias,
    )


def _probes(features: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Rows of borders, their neighbours, nulls and infinities, drawn for each feature."""
    rng = np.random.default_rng(0)
    columns = []
    for feature in features:
        borders = np.array(feature["borders"] or [0.0], np.float32)
        with np.errstate(over="ignore"):
            around = [np.nextafter(borders, np.float32(end)) for end in (-np.inf, np.inf)]
        values = np.concatenate([borders, *around, [np.nan, -np.inf, np.inf, 0.0]])
        columns.append(rng.choice(values.astype(np.float64), _PROBES))
    return np.stack(columns, axis=1)
