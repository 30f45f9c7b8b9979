"""A look for drift in words and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from lockstep.contract.status import FeatureStatus
from lockstep.parity.drift.profile import LEAST_ROWS, Profile
from lockstep.parity.drift.result import Drift, DriftResult
from lockstep.parity.page import html_page, html_plot, html_table, verdict_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("number", "view", "PSI", "KS", "null then", "null now", "statuses", "drift")
_MOST_PLOTS = 6
_MOST_BARS = 25


def drift_verdict(result: DriftResult) -> str:
    """The result in one sentence."""
    told = []
    if drifted := result.exceeded:
        names = ", ".join(drift.name for drift in drifted[:5])
        more = f" and {len(drifted) - 5} more" if len(drifted) > 5 else ""
        told.append(f"{len(drifted)} of {len(result.drifts)} have drifted: {names}{more}")
    if result.is_stale:
        told.append(
            f"{result.stale_share:.2%} of the rows had a stale value, and "
            f"{result.max_stale_share:.2%} may have"
        )
    if result.is_other_volume:
        then, now = result.rows_a_day
        told.append(
            f"{now:,.0f} rows a day, and {then:,.0f} at training: more than {result.max_volume:g} "
            f"times {'more' if now > then else 'fewer'}"
        )
    if unjudged := result.unjudged:
        told.append(f"{len(unjudged)} not judged: fewer than {LEAST_ROWS} rows")
    return "; ".join(told) or f"none of {len(result.drifts)} has drifted"


def drift_page(result: DriftResult) -> str:
    """The page as HTML."""
    drawn = sorted(result.drifts, key=lambda drift: drift.psi)
    far = [drift for drift in reversed(drawn) if drift.is_judged][:_MOST_PLOTS]
    parts = [
        verdict_line(drift_verdict(result), is_refused=result.has_drifted),
        f"<p>{escape(_scope(result))}</p>",
        html_plot(
            "Population stability index, the largest",
            _by_index,
            drawn[-_MOST_BARS:],
            height_inches=1.2 + 0.28 * min(len(drawn), _MOST_BARS),
        ),
        html_table(
            "What the model was given and answered, beside its training.",
            COLUMNS,
            [drift_row(drift) for drift in reversed(drawn)],
        ),
        *_plots(far),
    ]
    return html_page(f"Drift of {result.use_case}, version {result.version}", parts)


def _scope(result: DriftResult) -> str:
    between = (
        f" from {result.first:%Y-%m-%d %H:%M} to {result.last:%Y-%m-%d %H:%M} UTC"
        if result.first and result.last
        else ""
    )
    then, now = result.rows_a_day
    return (
        f"{result.rows:,} rows that {result.service} served{between}, {result.looked_at:,} of them "
        f"looked at; {now:,.0f} a day, and {then:,.0f} at training; looked at "
        f"{result.at:%Y-%m-%d %H:%M:%S} UTC."
    )


def drift_row(drift: Drift) -> Sequence[str]:
    """What `COLUMNS` are of one number."""
    return (
        drift.name,
        drift.view,
        f"{drift.psi:.3f}",
        f"{drift.ks:.3f}",
        f"{drift.reference.null_share:.1%}",
        f"{drift.now.null_share:.1%}",
        _statuses(drift),
        "; ".join(drift.exceeded) or ("" if drift.is_judged else "not judged"),
    )


def _statuses(drift: Drift) -> str:
    """The statuses that are not plain presence, by their share."""
    total = sum(drift.statuses.values())
    return ", ".join(
        f"{status} {count / total:.1%}"
        for status, count in drift.statuses.items()
        if status != FeatureStatus.PRESENT.value
    )


def _by_index(axes: Axes, drifts: Sequence[Drift]) -> None:
    colours = ["#b3352c" if drift.exceeded else "#4c78a8" for drift in drifts]
    axes.barh([drift.name for drift in drifts], [drift.psi for drift in drifts], color=colours)
    axes.set_xlabel("PSI, log scale; red where a limit is reached")
    axes.set_xscale("symlog", linthresh=0.01)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", labelsize=8)


def _plots(drifts: Iterable[Drift]) -> Iterable[str]:
    for drift in drifts:
        if drift.reference.edges:
            yield html_plot(f"{drift.name}: the share of rows up to each value", _both, drift)


def _both(axes: Axes, drift: Drift) -> None:
    """Two distribution functions over the reference's quantiles."""
    for name, profile in (("training", drift.reference), ("served", drift.now)):
        edges, shares = _distribution(profile)
        axes.step(edges, shares, where="post", label=name)
    axes.set_ylabel("% of rows that are not null")
    axes.set_ylim(0, 100)
    axes.legend()


def _distribution(profile: Profile) -> tuple[Sequence[float], Sequence[float]]:
    counts = np.asarray(profile.counts, np.float64)
    shares = 100 * np.cumsum(counts) / max(counts.sum(), 1)
    return profile.edges, shares[:-1].tolist()
