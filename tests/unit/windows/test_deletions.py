"""Deletions and corrections in the window core."""

from __future__ import annotations

import pytest
from histories import FAR, MINUTE, built, frame, spec_of
from step_oracle import Row

from lockstep.windows.errors import EventsError
from lockstep.windows.microseconds import instant_at
from lockstep.windows.steps import steps

ROW = Row(1, 0, 0, 5)


def test_a_deleted_row_leaves_a_version_without_it() -> None:
    deletion = ROW._replace(created=MINUTE, deleted=True)
    table = built([ROW, deletion], spec_of(windows=("5m",)))
    assert table.select(
        "event_timestamp", "created_timestamp", "key_event_count_5m", "valid_until_us"
    ).rows() == [
        (instant_at(1), instant_at(0), 1, 5 * MINUTE),
        (instant_at(1), instant_at(MINUTE), 0, None),
        (instant_at(5 * MINUTE), instant_at(MINUTE), 0, None),
    ]


def test_a_correction_replaces_the_value_from_when_it_was_known() -> None:
    changed = [
        ROW._replace(created=MINUTE, deleted=True),
        ROW._replace(created=MINUTE, value=8),
    ]
    table = built([ROW, *changed], spec_of(windows=("5m",)))
    assert table["key_value_sum_5m"].to_list() == [5, 8, 0]
    assert table["key_event_count_5m"].to_list() == [1, 1, 0]


def test_one_of_two_equal_rows_can_be_deleted() -> None:
    deletion = ROW._replace(created=MINUTE, deleted=True)
    table = built([ROW, ROW, deletion], spec_of(windows=("5m",)))
    assert table["key_event_count_5m"].to_list() == [2, 1, 0]


@pytest.mark.parametrize(
    "deletion",
    [
        ROW._replace(created=MINUTE, deleted=True, value=6),
        ROW._replace(created=MINUTE, deleted=True, key=2),
        ROW._replace(created=MINUTE, deleted=True, event=1),
    ],
)
def test_a_deletion_of_a_row_that_is_not_there_is_refused(deletion: Row) -> None:
    with pytest.raises(EventsError, match="1 deletions repeat no row"):
        built([ROW, deletion], spec_of())


def test_a_deletion_that_finds_no_row_is_shown() -> None:
    astray = [ROW._replace(key=key, created=MINUTE, deleted=True) for key in (1, 7)]
    with pytest.raises(EventsError, match=r"1 deletions .* such as \[\{'key': 7, 'event_timest"):
        built([ROW, *astray], spec_of())


def test_a_deletion_before_its_row_is_refused() -> None:
    row = ROW._replace(created=2 * MINUTE)
    with pytest.raises(EventsError, match="created before them"):
        built([row, row._replace(created=MINUTE, deleted=True)], spec_of())


def test_the_marker_of_deletions_is_a_boolean() -> None:
    events = frame([ROW]).with_columns(is_deleted=0)
    with pytest.raises(EventsError, match="expected Boolean"):
        steps(events, spec_of(), end=instant_at(FAR))


def test_a_source_without_the_marker_has_no_deletions() -> None:
    plain = steps(frame([ROW]).drop("is_deleted"), spec_of(), end=instant_at(FAR))
    assert plain.equals(built([ROW], spec_of()))
