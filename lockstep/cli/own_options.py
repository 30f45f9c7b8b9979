"""Options that only one use case has, such as `--customers 100`: its module declares them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar, get_args, get_type_hints

from lockstep.cli.errors import OptionError

# How a command is registered that hands on what it does not know.
ANY_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True}

_T = TypeVar("_T")
_READ: Mapping[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    str: str,
    date: date.fromisoformat,
}


def called_with(call: Callable[..., _T], arguments: Sequence[str], **given: Any) -> _T:
    """What a function, or a dataclass, makes of `--name value` arguments.

    Its parameters are the options, with their types and defaults: whole numbers, floats, text
    or dates. `given` are arguments of the same names that are known already.

    Raises:
        OptionError: it has no such option, one that it needs was not given, or a value is
            missing or of another type.

    >>> def size(*, days: int = 3) -> str:
    ...     return f"{days} days"
    >>> called_with(size, ["--days", "7"])
    '7 days'
    """
    parameters = inspect.signature(call).parameters
    known = list(parameters)
    for name, text in _pairs(arguments):
        if name not in known:
            raise OptionError.unknown(name, known)
        kind = _kind(get_type_hints(call)[name])
        try:
            given[name] = _READ[kind](text)
        except ValueError:
            raise OptionError.bad_value(name, text, kind) from None
    if unknown := given.keys() - set(known):
        raise OptionError.unknown(min(unknown), known)
    needed = (name for name, one in parameters.items() if one.default is one.empty)
    if missing := [name for name in needed if name not in given]:
        raise OptionError.missing(missing[0])
    return call(**given)


def _pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Names as Python has them, and values: of `--name value` and `--name=value`."""
    pairs = []
    rest = iter(arguments)
    for flag in rest:
        if not flag.startswith("--"):
            raise OptionError.no_flag(flag)
        name, has_value, value = flag[2:].partition("=")
        pairs.append((name.replace("-", "_"), value if has_value else next(rest, "")))
    return pairs


def _kind(hint: Any) -> type:
    """The type itself of an optional one."""
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    found: type = kinds[0] if kinds else hint
    return found
