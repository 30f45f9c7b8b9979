"""The comparison must see what differs, and recompute at the right instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from lockstep.parity.compare import Mismatch, compare, recompute_at
from lockstep.parity.errors import ComparisonError
from lockstep.windows.spec import Aggregation, WindowSpec

NOON = datetime(2018, 8, 1, 12, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
SPEC = WindowSpec("w", "bank/tx", "card", ("card_id",), ("1d",), (Aggregation("count", what="tx"),))


def after(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def recomputed_at(*, step: int, created: int, t: int, key: int = 1) -> datetime:
    steps = pl.DataFrame(
        {"card_id": [key], "event_timestamp": [after(step)], "created_timestamp": [after(created)]},
        schema_overrides={"event_timestamp": TIME, "created_timestamp": TIME},
    )
    served = pl.DataFrame(
        {"card_id": [1], "event_timestamp": [after(t)], "cut": [NOON]},
        schema_overrides={"event_timestamp": TIME, "cut": TIME},
    )
    return recompute_at(served, [(SPEC, steps.lazy())]).item()


@pytest.mark.parametrize(
    ("step", "created", "expected"),
    [
        (0, 0, 10),  # final at the cut: materialised
        (1, 1, 0),  # after the cut, by T: Redis cannot hold it
        (10, 10, 0),  # exactly at T
        (11, 11, 10),  # after T
        (-5, 5, 0),  # an old step corrected after the cut
        (-5, 20, 10),  # corrected after T
    ],
)
def test_a_step_between_cut_and_t_moves_the_comparison_to_the_cut(
    step: int, created: int, expected: int
) -> None:
    assert recomputed_at(step=step, created=created, t=10) == after(expected)


def test_steps_of_other_entities_do_not_matter() -> None:
    assert recomputed_at(step=1, created=1, t=10, key=2) == after(10)


def test_every_kind_of_difference_is_reported() -> None:
    served = pl.DataFrame({"a": [1, None, 3], "b": [0.5, 0.0, None]})
    recomputed = pl.DataFrame({"a": [1, 2, 3], "b": [0.5, -0.0, None]})
    comparison = compare(served, recomputed, ["a", "b"])
    assert comparison.compared == 6
    assert comparison.mismatches == (Mismatch(1, "a", None, 2), Mismatch(1, "b", 0.0, -0.0))
    assert str(comparison) == "features compared: 6, mismatches: 2"


def test_an_integer_is_not_a_float() -> None:
    assert compare(pl.DataFrame({"a": [70]}), pl.DataFrame({"a": [70.0]}), ["a"]).mismatches


def test_what_is_null_on_both_sides_is_counted_apart() -> None:
    one = pl.DataFrame({"a": [None, 1]}, schema={"a": pl.Int64})
    assert compare(one, one, ["a"]).both_null == 1


def test_nothing_to_compare_is_no_proof() -> None:
    one = pl.DataFrame({"a": [1]})
    for frame, features in ((one, []), (one.clear(), ["a"])):
        with pytest.raises(ComparisonError, match="nothing to compare"):
            compare(frame, frame, features)


def test_missing_rows_or_features_are_errors() -> None:
    one = pl.DataFrame({"a": [1]})
    with pytest.raises(ComparisonError, match="1 rows were served but 0"):
        compare(one, one.clear(), ["a"])
    with pytest.raises(ComparisonError, match=r"\['b'\] are not on both sides"):
        compare(one, one, ["b"])
