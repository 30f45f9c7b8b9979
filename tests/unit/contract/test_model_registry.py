"""What is said of a registry that fails."""

from __future__ import annotations

import pytest

from lockstep.contract.model_registry import RegistryError


@pytest.mark.parametrize(
    "uri", ["http://lock:secret@mlflow:5000", "postgresql+psycopg://lock:secret@db/mlflow"]
)
def test_no_password_is_shown(uri: str) -> None:
    error = RegistryError.failed(uri, ConnectionError(f"cannot reach {uri}\nmore"))
    assert "secret" not in str(error)
    assert "//***@" in str(error)
    assert "more" not in str(error)


def test_an_error_without_words_is_named_by_its_kind() -> None:
    assert "(TimeoutError)" in str(RegistryError.failed("http://mlflow", TimeoutError()))
