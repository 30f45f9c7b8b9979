"""Options that a use case declares, as they are typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from lockstep.cli.errors import OptionError
from lockstep.cli.own_options import called_with


@dataclass(frozen=True)
class Sizes:
    """One of each type."""

    days: int = 3
    share: float = 0.5
    name: str = "x"
    start: date = date(2018, 4, 1)


def delay(*, label_delay_days: int | None = None) -> int | None:
    """An option that may be absent."""
    return label_delay_days


def test_every_type_is_read_and_the_rest_has_its_default() -> None:
    typed = ["--share=0.25", "--start", "2020-02-29", "--name", "--x"]
    assert called_with(Sizes, typed) == Sizes(3, 0.25, "--x", date(2020, 2, 29))
    assert called_with(Sizes, [], days=7) == Sizes(7)
    assert called_with(delay, ["--label-delay-days", "-1"]) == -1
    assert called_with(delay, []) is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--day", "3"], "no option --day here; known are --days, --share, --name, --start"),
        (["--days"], "--days is ''; give it a whole number"),
        (["--days", "3.5"], "--days is '3.5'; give it a whole number"),
        (["--days="], "--days is ''; give it a whole number"),
        (["--share", "half"], "--share is 'half'; give it a number"),
        (["--start", "tomorrow"], "--start is 'tomorrow'; give it a day, like 2018-04-01"),
        (["days", "3"], "'days' is no option; write --name value"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can(typed: list[str], said: str) -> None:
    with pytest.raises(OptionError) as refused:
        called_with(Sizes, typed)
    assert said in str(refused.value)


def test_what_has_no_default_must_be_given() -> None:
    def needing(*, asset_id: int) -> int:
        return asset_id

    assert called_with(needing, ["--asset-id", "3"]) == 3
    with pytest.raises(OptionError, match="--asset-id is missing; give it: --asset-id VALUE"):
        called_with(needing, [])


def test_what_the_command_gives_must_be_an_option_too() -> None:
    with pytest.raises(OptionError, match="no option --seed here"):
        called_with(Sizes, [], seed=7)
