"""What a registered model says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lockstep.contract.model_artefact import ModelArtefact, ModelArtefactError
from lockstep.contract.targets import ClassTarget

_ARTEFACT = ModelArtefact(
    use_case="fraud",
    feature_service="fraud_v1",
    feature_order=("a", "b"),
    target=ClassTarget(0.25),
    trained_as_of=datetime(2018, 8, 1, tzinfo=UTC),
    fingerprint="5f2a",
)


def test_metadata_reads_back_and_may_hold_more() -> None:
    metadata = _ARTEFACT.to_metadata() | {"folds": {}}
    assert ModelArtefact.from_metadata(metadata) == _ARTEFACT


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_case", None),
        ("feature_service", 1),
        ("feature_order", "ab"),
        ("feature_order", []),
        ("feature_order", ["a", 1]),
        ("threshold", "0.25"),
        ("trained_as_of", "yesterday"),
        ("fingerprint", None),
    ],
)
def test_a_bad_entry_is_named(key: str, value: Any) -> None:
    with pytest.raises(ModelArtefactError, match=key):
        ModelArtefact.from_metadata(_ARTEFACT.to_metadata() | {key: value})
