"""What `--as-served` and `--schedule` say."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lockstep.settings import Settings
    from lockstep.stores.visibility import Scheduled, Visibility

_LEDGER = "ledger"


def visibility_of(
    text: str, use_case: str, settings: Settings, *, option: str = "--as-served"
) -> Visibility:
    """What the online store held when: by the ledger, by a schedule, or by one before the other.

    Raises:
        BadParameter: `text` is none of them.
        LedgerError: the ledger is damaged.
        LakeError: the lake cannot be reached.
    """
    kind, _, before = text.partition(",")
    if kind != _LEDGER:
        return schedule_of(text, option=option)
    from feature_repo.discovery import feature_views
    from feature_repo.store import repo_config
    from lockstep.lake.lake import Lake
    from lockstep.stores.ledger import rows_of
    from lockstep.stores.visibility import Recorded

    lake, project = Lake.at(settings.lake), repo_config(settings).project
    names = [view.name for view in feature_views(use_case)]
    rows = {name: rows_of(lake, project, name) for name in names}
    return Recorded(rows, schedule_of(before, option=option) if before else None)


def schedule_of(text: str, *, option: str) -> Scheduled:
    """The schedule that '1h', or '1d+30m' with the time until it is visible, stands for.

    Raises:
        BadParameter: `text` is no such thing.
    """
    from lockstep.stores.visibility import Scheduled
    from lockstep.windows.duration import duration_us
    from lockstep.windows.errors import WindowSpecError

    every, plus, delay = text.partition("+")
    try:
        lengths = [duration_us(every), duration_us(delay) if plus else 0]
    except WindowSpecError as error:
        raise typer.BadParameter(
            f"{text!r} is no schedule: use 'ledger', '1h', '1d+30m' or 'ledger,1h'",
            param_hint=option,
        ) from error
    return Scheduled(*(timedelta(microseconds=length) for length in lengths))
