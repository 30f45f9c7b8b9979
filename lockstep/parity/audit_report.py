"""An audit as a page: one file, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from lockstep.parity.audit_result import AuditedService, AuditResult
from lockstep.parity.audit_words import MEANINGS, sql_words, verdict
from lockstep.parity.causes import Cause
from lockstep.parity.page import html_page, html_plot, html_table, verdict_line
from lockstep.parity.sql.result import SqlCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_FEATURES = 25


def audit_page(result: AuditResult, max_stale_share: float | None) -> str:
    """The page as HTML."""
    told = verdict(result, max_stale_share)
    parts = [
        verdict_line(told, is_refused=bool(result.refusal(max_stale_share))),
        f"<p>{escape(_scope(result))}</p>",
        *_unchecked(result),
        "<h2>Vectors by cause</h2>",
        html_table(
            "Each vector has the worst cause among its views.",
            ("cause", "what it means", "vectors"),
            [(c.value, MEANINGS[c], n) for c in Cause if (n := result.causes[c])],
        ),
        *(part for service in result.services for part in _service(service)),
        *_sql(result.sql),
    ]
    return html_page(f"Parity of {result.use_case}", parts)


def _scope(result: AuditResult) -> str:
    between = (
        f", T from {result.first_t:%Y-%m-%d %H:%M:%S} to {result.last_t:%Y-%m-%d %H:%M:%S} UTC"
        if result.first_t and result.last_t
        else ""
    )
    return (
        f"{result.vectors:,} vectors of {result.source}{between}; audited at "
        f"{result.at:%Y-%m-%d %H:%M:%S} UTC in {result.seconds:.1f} s."
    )


def _unchecked(result: AuditResult) -> list[str]:
    """What could not be checked, and what was missing."""
    if result.is_whole:
        return ["<p>All of them could be checked.</p>"]
    rows: list[tuple[Any, ...]] = [(why, count) for why, count in result.unchecked.items()]
    rows += [(problem, "") for problem in result.problems]
    if other := result.vectors - result.compared:
        rows.append((MEANINGS[Cause.DEFINITION_VERSION], other))
    return [
        "<h2>Not checked</h2>",
        html_table("Of this nothing is said.", ("why", "vectors"), rows),
    ]


def _sql(check: SqlCheck) -> Iterable[str]:
    """What SQL said, and where it says nothing."""
    yield f"<h2>SQL over raw events</h2><p>{escape(sql_words(check))}.</p>"
    if check.not_covered:
        rows = list(check.not_covered.items())
        yield html_table("Of this SQL says nothing.", ("why", "vectors"), rows)
    if check.differing:
        yield html_table(
            "Values that differ.", ("feature", "values"), list(check.differing.items())
        )
        yield html_table(
            "Examples: what the offline join gives at T, and what SQL does.",
            ("request", "T", "view", "feature", "joined", "SQL"),
            [
                (e.request_id, e.t, e.view, e.feature, _shown(e.joined), _shown(e.sql))
                for e in check.examples
            ],
        )


def _service(service: AuditedService) -> Iterable[str]:
    yield f"<h2>{escape(service.service)}</h2>"
    if not service.features and not any(set(c) - {Cause.MATCH} for c in service.views.values()):
        yield "<p>Nothing differs.</p>"
        return
    yield html_table(
        "Vectors in which a view has the cause.",
        ("view", "cause", "vectors"),
        _pairs(service.views),
    )
    plots = (
        ("Values that differ, by feature and cause", _by_feature, service.features),
        ("Vectors by cause", _by_cause, service.causes),
        ("Views that differ, by how long before T was materialised", _by_age, service.ages),
    )
    for title, draw, of in plots:
        if of:
            yield _plot(title, draw, of)
    yield html_table(
        "Values that differ.", ("feature", "cause", "values"), _pairs(service.features)
    )
    if service.hints:
        yield html_table(
            "What unexplained answers look like, of the first ones of each view.",
            ("looks like", "views of vectors"),
            list(service.hints.items()),
        )
    yield html_table(
        "Examples: what was served, what the join gives at T, what the store must have held.",
        ("cause", "request", "T", "view", "feature", "served", "exact", "held"),
        [
            (
                e.cause,
                e.request_id,
                e.t,
                e.view,
                e.feature,
                *map(_shown, (e.served, e.exact, e.held)),
            )
            for e in service.examples
        ],
    )


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _pairs(counts: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, int]]:
    return [
        (name, cause, count)
        for name, by_cause in counts.items()
        for cause, count in by_cause.items()
        if cause != Cause.MATCH
    ]


def _plot(title: str, draw: Callable[[Axes, Any], None], of: Any) -> str:
    bars = min(len(of), _MOST_FEATURES) if draw is _by_feature else 0
    return html_plot(title, draw, of, height_inches=max(3.6, 1.2 + 0.28 * bars))


def _by_feature(axes: Axes, features: Mapping[str, Mapping[str, int]]) -> None:
    """The features that differ most, stacked by cause."""
    totals = sorted(features, key=lambda name: sum(features[name].values()))[-_MOST_FEATURES:]
    left = [0] * len(totals)
    for cause in Cause:
        counts = [features[name].get(cause.value, 0) for name in totals]
        if any(counts):
            axes.barh(totals, counts, left=left, label=cause.value)
            left = [a + b for a, b in zip(left, counts, strict=True)]
    axes.set_xlabel("values")
    axes.tick_params(axis="y", labelsize=8)
    axes.figure.legend(loc="outside right upper", fontsize=8)


def _by_cause(axes: Axes, causes: Mapping[str, int]) -> None:
    named = [cause.value for cause in reversed(Cause) if causes.get(cause.value)]
    bars = axes.barh(named, [causes[name] for name in named])
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.margins(x=0.12)
    axes.set_xlabel("vectors")


def _by_age(axes: Axes, ages: Mapping[str, tuple[int, int]]) -> None:
    names = [f"up to {age}" if age[0].isdigit() else age for age in ages]
    shares = [100 * wrong / total for total, wrong in ages.values()]
    bars = axes.bar(names, shares)
    axes.bar_label(bars, [f"{wrong:,} of\n{total:,}" for total, wrong in ages.values()], fontsize=8)
    axes.margins(y=0.25)
    axes.set_ylabel("% that differ")
