"""Use cases are found by the name of their module."""

from __future__ import annotations

import pytest

from lockstep.use_cases import UseCaseError
from training.use_case import load_use_case


def test_fraud_is_found() -> None:
    assert load_use_case("fraud").feature_service == "fraud_v1"


@pytest.mark.parametrize("name", ["frauds", "dataset", "step_view", "../fraud", "os", ""])
def test_anything_else_is_refused_with_the_choice(name: str) -> None:
    with pytest.raises(UseCaseError, match=r"known are .*'fraud'"):
        load_use_case(name)
