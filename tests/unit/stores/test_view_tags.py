"""Tags mean what docs say, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from feast import FeatureView, FileSource

from lockstep.stores.errors import ViewTagError
from lockstep.stores.kept_rows import KeptRows
from lockstep.stores.view_tags import is_step_function, kept_rows, max_age_us, tail_steps


def view(**tags: str) -> FeatureView:
    source = FileSource(path="x", timestamp_field="event_timestamp")
    return FeatureView(name="v", source=source, tags=tags)


@pytest.mark.parametrize(
    ("tags", "keep"),
    [
        ({}, 0),
        ({"live": "false"}, 0),
        ({"live": "True"}, 8),
        ({"live": "3"}, 3),
        ({"live": "0"}, 0),
    ],
)
def test_live_says_how_many_steps(tags: dict[str, str], keep: int) -> None:
    assert tail_steps(view(**tags)) == keep


def test_the_other_tags_are_off_unless_given() -> None:
    assert max_age_us(view()) is None
    assert max_age_us(view(max_age_seconds="0")) == 0
    assert max_age_us(view(max_age_seconds="90")) == 90_000_000
    assert not is_step_function(view())
    assert not is_step_function(view(step_function="false"))
    assert is_step_function(view(step_function="true"))


@pytest.mark.parametrize(
    ("read", "tag"),
    [(tail_steps, "live"), (max_age_us, "max_age_seconds"), (is_step_function, "step_function")],
)
@pytest.mark.parametrize("value", ["-1", "two", "1.5"])
def test_another_value_is_refused(
    read: Callable[[FeatureView], object], tag: str, value: str
) -> None:
    with pytest.raises(ViewTagError, match=f"the tag {tag} of the feature view 'v' is '{value}'"):
        read(view(**{tag: value}))


def test_rows_are_kept_where_a_tag_says_which() -> None:
    kept = KeptRows("market/bars", ("close_ticks",), 5)
    assert kept_rows(view()) is None
    assert kept_rows(view(kept_rows=kept.tag)) == kept


@pytest.mark.parametrize("more", [{"kept_rows": "true"}, {"live": "true"}], ids=["odd", "live"])
def test_rows_are_not_kept_where_nobody_says_which_or_beside_a_tail(more: dict[str, str]) -> None:
    tags = {"kept_rows": KeptRows("market/bars", ("close_ticks",), 5).tag, **more}
    with pytest.raises(ViewTagError, match="the tag kept_rows of the feature view 'v'"):
        kept_rows(view(**tags))
