"""One page of HTML on one model: what it is for, what it was fitted on, what it is worth."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any

from lockstep.contract.predictor import Predictor
from training.bootstrap import LEVEL
from training.digits import in_digits
from training.scored_rows import ScoredRows, Slice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.register import Evidence

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd }
td.n { text-align: right; font-variant-numeric: tabular-nums }
img { max-width: 49% } .warning { background: #fff3cd; padding: .5rem 1rem }
"""


def model_card(
    predictor: Predictor,
    scored: ScoredRows,
    evidence: Evidence,
    plots: Mapping[str, Figure],
) -> str:
    """The page, whole in one text: plots are in it, nothing is fetched."""
    artefact = predictor.artefact
    parts = [
        f"<h1>Model card: {escape(artefact.use_case)}</h1>",
        *(f"<p class='warning'>{escape(warning)}</p>" for warning in evidence.warnings),
        "<h2>What it is</h2>",
        _table(_facts(predictor, scored, evidence)),
        "<h2>Rows</h2>",
        _table(_folds(evidence), head=("fold", *next(iter(evidence.folds.values())))),
        "<h2>Worth on the test rows</h2>",
        f"<p>Intervals hold {LEVEL:.0%} of a bootstrap by {scored.use_case.block}.</p>",
        _table(_metrics(evidence), head=("metric", "value", "low", "high")),
        *_floors(evidence),
        "<h2>Slices</h2>",
        _slices(scored.slices()),
        "<h2>Plots</h2>",
        *(f"<img alt='{name}' src='{_png(figure)}'>" for name, figure in plots.items()),
        "<h2>Features, in the model's order</h2>",
        f"<p>{escape(', '.join(artefact.feature_order))}</p>",
    ]
    body = "\n".join(parts)
    title = escape(artefact.use_case)
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _facts(
    predictor: Predictor, scored: ScoredRows, evidence: Evidence
) -> Iterable[Sequence[object]]:
    artefact, dataset = predictor.artefact, evidence.dataset
    yield "feature service", artefact.feature_service
    yield "fingerprint of the definitions", dataset.fingerprint
    yield "hash of the joined rows", dataset.receipt["content_hash"]
    yield "labels known up to", artefact.trained_as_of.isoformat()
    yield "trees", str(predictor.model.tree_count_)
    yield from scored.facts()
    yield "trials of the search", str(len(evidence.trials))


def _folds(evidence: Evidence) -> Iterable[Sequence[object]]:
    for name, fold in evidence.folds.items():
        yield name, *fold.values()


def _metrics(evidence: Evidence) -> Iterable[Sequence[object]]:
    for name, interval in evidence.metrics.items():
        yield name, interval.value, interval.low, interval.high


def _floors(evidence: Evidence) -> Iterable[str]:
    if evidence.floors:
        yield "<p>What it must reach before it is served:</p>"
        rows = ((one.name, one.found, "yes" if one.holds else "no") for one in evidence.floors)
        yield _table(rows, head=("floor", "found", "reached"))


def _slices(slices: Sequence[Slice]) -> str:
    if not slices:
        return "<p>None declared.</p>"
    shown = [asdict(part) for part in slices]
    return _table((part.values() for part in shown), head=list(shown[0]))


def _table(rows: Iterable[Iterable[Any]], *, head: Sequence[str] = ()) -> str:
    heading = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{heading}</tr>{body}</table>" if head else f"<table>{body}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, float | int):
        return f"<td class='n'>{in_digits(value)}</td>"
    return f"<td>{'-' if value is None else escape(str(value))}</td>"


def _png(figure: Figure) -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
