"""What is said of a registry that fails."""

from __future__ import annotations

import pytest

from lockstep.contract.model_registry import RegistryError, model_registry


@pytest.mark.parametrize(
    "uri",
    [
        "http://lock:secret@mlflow:5000",
        "postgresql+psycopg://lock:secret@db/mlflow",
        "postgresql+psycopg://db/mlflow?user=lock&password=secret&sslmode=require",
    ],
)
def test_no_password_is_shown(uri: str) -> None:
    error = RegistryError.failed(uri, ConnectionError(f"cannot reach {uri}\nmore"))
    assert "secret" not in str(error)
    assert "***" in str(error)
    assert "more" not in str(error)


def test_an_error_without_words_is_named_by_its_kind() -> None:
    assert "(TimeoutError)" in str(RegistryError.failed("http://mlflow", TimeoutError()))


def test_a_database_whose_driver_is_not_installed_is_a_clear_error() -> None:
    with (
        pytest.raises(RegistryError, match=r"MLflow on mysql\+pymysql needs a package.*pymysql"),
        model_registry("mysql+pymysql://lock:secret@127.0.0.1:1/mlflow"),
    ):
        pass
