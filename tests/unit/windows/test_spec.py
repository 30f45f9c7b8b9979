"""Specifications that cannot mean anything are refused when they are made."""

from __future__ import annotations

from typing import Any

import pytest
from histories import COUNT, spec_of

from feature_repo.windows.fraud import CUSTOMER_WINDOWS
from lockstep.windows.errors import WindowSpecError
from lockstep.windows.spec import Aggregation, Ratio, WindowSpec


@pytest.mark.parametrize("snapshots", [True, False])
@pytest.mark.parametrize("resolution", ["", "1 hour", "9999999d"])
def test_a_resolution_is_a_length_of_time(resolution: str, snapshots: bool) -> None:
    with pytest.raises(WindowSpecError, match="not a length of time"):
        spec_of(resolution=resolution, snapshots=snapshots)


@pytest.mark.parametrize("keys", [("a", "a"), ("e_event_count_1m",)])
def test_no_two_columns_of_the_steps_have_one_name(keys: tuple[str, ...]) -> None:
    with pytest.raises(WindowSpecError, match="has two columns"):
        WindowSpec("w", "s", "e", keys, ("1m",), (COUNT,))


def test_a_ratio_never_takes_the_name_of_an_aggregation() -> None:
    with pytest.raises(WindowSpecError, match="has two columns"):
        spec_of(COUNT, ratios=(Ratio("event_count", of=COUNT, to=COUNT),))


@pytest.mark.parametrize(
    "fields",
    [
        {"entity_keys": ("valid_until_us",)},
        {"entity_keys": ("event_timestamp",)},
        {"aggregations": (Aggregation("count", what="x", where="is_deleted"),)},
        {"aggregations": (Aggregation("distinct", "created_timestamp"),)},
    ],
)
def test_the_core_keeps_the_names_of_its_own_columns(fields: dict[str, Any]) -> None:
    known = {"entity_keys": ("key",), "aggregations": (COUNT,), **fields}
    with pytest.raises(WindowSpecError, match="names of the core's own columns"):
        WindowSpec("w", "s", "e", windows=("1m",), **known)


def test_a_spec_without_bars_says_what_it_said_before_there_were_bars() -> None:
    """Models in use hold these fingerprints: another one would refuse them."""
    assert CUSTOMER_WINDOWS.fingerprint == (
        "7ea4ac99581e5feba75415dcf0a36fbdee61695d06f981ef44bc288b65bf47bd"
    )
