"""Rows of panels become a dashboard; what Grafana wants to know beyond that is said here, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.models.common import (
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)

DATA_SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
# Every installed use case, asked or not.
USE_CASES = "label_values(lockstep_models_refused, use_case)"
_HEIGHT = 8
_WIDTH = 24


@dataclass(frozen=True)
class Panel:
    """Lines over time: a query for each legend; `limit` is drawn in red from there on."""

    title: str
    description: str
    unit: str
    queries: Mapping[str, str]
    limit: float | None = None


@dataclass(frozen=True)
class Row:
    """A question, and the panels that answer it."""

    question: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    """One dashboard; its file has the name of `uid`."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    by_use_case: bool = True
    tags: Sequence[str] = ("lockstep",)

    def build(self) -> Dashboard:
        """What Grafana reads."""
        built = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags(list(self.tags))
            .readonly()
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .refresh("30s")
            .time("now-6h", "now")
            .timezone("utc")
            .link(dashboard.DashboardLink("Lockstep").type("dashboards").tags(list(self.tags)))
        )
        if self.by_use_case:
            built.with_variable(_use_case_variable())
        number = count(1)
        for row in self.rows:
            built.with_row(dashboard.Row(row.question).id(next(number)))
            for panel in row.panels:
                built.with_panel(_panel(panel, next(number), span=_WIDTH // len(row.panels)))
        return built.build()


def _use_case_variable() -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable("use_case")
        .label("Use case")
        .datasource(DATA_SOURCE)
        .query(USE_CASES)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current({"selected": True, "text": "All", "value": "$__all"})
    )


def _panel(panel: Panel, number: int, *, span: int) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .id(number)
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .min(0)
        .span(span)
        .height(_HEIGHT)
        .fill_opacity(10)
        .datasource(DATA_SOURCE)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for ref, (legend, expr) in zip("ABCDEFGH", panel.queries.items(), strict=False):
        query = prometheus.Dataquery().ref_id(ref).expr(expr).legend_format(legend)
        built.with_target(query.datasource(DATA_SOURCE).range())
    return built if panel.limit is None else _limited(built, panel.limit)


def _limited(built: timeseries.Panel, limit: float) -> timeseries.Panel:
    steps = [Threshold(value=None, color="green"), Threshold(value=limit, color="red")]
    drawn = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
    thresholds = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    return built.thresholds(thresholds).thresholds_style(drawn)
