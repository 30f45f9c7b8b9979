"""On-demand functions that take whole columns, for many rows as for one.

Feast hands a function of mode "python" lists of Python objects, a second for each half a
million values. A view tagged `columns: numpy` says that its function takes numpy arrays as
well as lists, and returns them: integers and booleans as such, with NaN among floats for
null. What a function returns as NaN is null. The same function serves one request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from feast import OnDemandFeatureView

from lockstep.stores.column_types import declared_type

_TAG = ("columns", "numpy")


def takes_columns(view: OnDemandFeatureView) -> bool:
    """Whether the view's function takes arrays."""
    name, value = _TAG
    return (view.tags or {}).get(name) == value and view.mode == "python" and not view.singleton


def add_columns(
    rows: pl.DataFrame,
    view: OnDemandFeatureView,
    features: Sequence[str],
    *,
    full_feature_names: bool,
) -> pl.DataFrame:
    """`rows` and those of the view's features, of the types that it declares.

    The function sees the columns of its sources under their short names and as
    `<view>__<feature>`, as Feast hands them over, and the request's columns.
    """
    outputs = view.feature_transformation.udf(_inputs(rows, view))
    types = {field.name: field.dtype for field in view.features}
    prefix = f"{view.projection.name_to_use()}__" if full_feature_names else ""
    return rows.with_columns(
        _column(f"{prefix}{name}", outputs[name], declared_type(types[name])) for name in features
    )


def _inputs(rows: pl.DataFrame, view: OnDemandFeatureView) -> dict[str, object]:
    inputs: dict[str, object] = {}
    for projection in view.source_feature_view_projections.values():
        for feature in projection.features:
            names = (f"{projection.name_to_use()}__{feature.name}", feature.name)
            held = next(name for name in names if name in rows.columns)
            inputs |= dict.fromkeys(names, rows.get_column(held).to_numpy())
    requested = view.get_request_data_schema()
    return inputs | {name: rows.get_column(name).to_numpy() for name in requested}


def _column(name: str, values: Any, kind: pl.DataType | None) -> pl.Series:
    column = pl.Series(name, values, strict=False)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return column if kind is None else column.cast(kind)
