"""How MLflow is reached by training and serving alike: no telemetry, no chatter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from lockstep.errors import LockstepError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Set before MLflow is imported; a value that is there already stays. By default MLflow
# tries an absent server for minutes, and asks uv for requirements that are given.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_UV_AUTO_DETECT": "false",
}


_CREDENTIALS = re.compile(r"//[^/\s@]*@")


class RegistryError(LockstepError):
    """The tracking server or model registry does not do what it was asked."""

    @classmethod
    def failed(cls, uri: str, cause: Exception) -> RegistryError:
        first_line = (str(cause) or type(cause).__name__).splitlines()[0]
        problem = f"MLflow at {uri} failed ({first_line[:200]})"
        return cls(
            _CREDENTIALS.sub("//***@", problem),
            next_step="check LOCKSTEP_MLFLOW_URI and that what it names is up and writable",
        )


def import_mlflow() -> None:
    """Imports MLflow as this project wants it; takes seconds the first time."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import_module("mlflow.artifacts")


@contextmanager
def model_registry(uri: str) -> Iterator[MlflowClient]:
    """A client of the tracking server and model registry at `uri`.

    Imports MLflow, which is why nothing here does so on import.

    Raises:
        RegistryError: MLflow or the store behind it failed, in here or in the block.
    """
    import_mlflow()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise RegistryError.failed(uri, error) from error
