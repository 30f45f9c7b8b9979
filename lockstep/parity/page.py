"""Pages for people: one file each, with their plots in them."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; margin: 2rem auto; max-width: 62rem;
  padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
p.verdict { padding: .8rem 1rem; border-left: 5px solid #2f7d4f; background: #eef6f1 }
p.refused { border-color: #b3352c; background: #fbeeed }
table { border-collapse: collapse; width: 100%; font-size: .92rem }
caption { text-align: left; color: #55606c; padding-bottom: .3rem }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #dde3e8;
  overflow-wrap: anywhere; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
img { max-width: 100% }
"""
_NUMBER = re.compile(r"-?[\d.,]+%?")


def html_page(title: str, parts: Iterable[str]) -> str:
    """A page of HTML that is already escaped; `title` is not."""
    told = escape(title)
    head = f'<meta charset="utf-8"><title>{told}</title><style>{_STYLE}</style>'
    body = "\n".join([f"<h1>{told}</h1>", *parts])
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def verdict_line(told: str, *, is_refused: bool) -> str:
    """The sentence that says it all, green or red."""
    refused = " refused" if is_refused else ""
    return f'<p class="verdict{refused}">{escape(told)}</p>'


def html_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table with a caption; numbers stand at the right."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _cell(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    if _NUMBER.fullmatch(text):
        return f'<td class="number">{text}</td>'
    return f"<td>{escape(text)}</td>"


def html_plot(
    title: str, draw: Callable[[Axes, Any], None], of: Any, *, height_inches: float = 3.6
) -> str:
    """A plot with its title, as a picture in the page."""
    # Not pyplot: it keeps every figure, and picks a window system.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height_inches), layout="constrained")
    draw(figure.subplots(), of)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg")
    data = base64.b64encode(drawn.getvalue()).decode()
    text = escape(title)
    return (
        f"<figure><figcaption>{text}</figcaption>"
        f'<img alt="{text}" src="data:image/svg+xml;base64,{data}"></figure>'
    )
