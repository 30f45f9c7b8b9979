"""Makes `import feast` take 2 s in the place of 8 s; to be called before it.

Feast decorates 19 classes with typeguard's `typechecked`, which parses and compiles each of their
242 methods anew, at every start of every process (feast 0.67, typeguard 4.6). The checks are of
what stands in definitions, and `feast apply`, which imports Feast before anything of ours, keeps
them. Nothing that reads or writes features needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def leave_feast_unchecked() -> None:
    """Makes `typechecked` pass over what Feast defines; all else is checked as before."""
    import typeguard

    checked: Callable[..., Any] = typeguard.typechecked

    def typechecked(target: Any = None, **options: Any) -> Any:
        if str(getattr(target, "__module__", None)).partition(".")[0] == "feast":
            return target
        return checked(target, **options)

    typeguard.typechecked = typechecked
