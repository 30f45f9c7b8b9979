"""On-demand functions that take whole columns, for many rows as for one.

Feast hands a function of mode "python" lists of Python objects, which takes longer for a
million rows than the join itself. A view tagged `columns: numpy` says that its function
also takes numpy arrays, and then returns them: numbers as such, but floats with NaN for
null where a feature has nulls; a NaN that it returns is null. With lists, as Feast and a
request hand them over, it returns lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from feast import OnDemandFeatureView

from lockstep.stores.column_types import declared_type
from lockstep.stores.errors import EntityFrameError

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

    Raises:
        EntityFrameError: a request column has nulls.
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
    for name in view.get_request_data_schema():
        column = rows.get_column(name)
        if column.has_nulls():
            raise EntityFrameError.nulls(name, column.null_count())
        inputs[name] = column.to_numpy()
    return inputs


def _column(name: str, values: Any, kind: pl.DataType | None) -> pl.Series:
    column = pl.Series(name, values, strict=False)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return column if kind is None else column.cast(kind)
