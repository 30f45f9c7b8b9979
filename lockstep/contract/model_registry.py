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
# tries an absent server for minutes, and asks uv for requirements that are given. The last
# is for PostgreSQL on a machine that does not answer at all.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "PGCONNECT_TIMEOUT": "5",
}

_DATABASES = ("mssql", "mysql", "postgresql")
# Any number: whoever comes through here takes the same.
_TABLES_LOCK = 7_013_205_544
_CREDENTIALS = re.compile(r"(?<=//)[^/\s@]*(?=@)|(?<=[?&]password=)[^&\s]*")


class RegistryError(LockstepError):
    """The tracking server or model registry does not do what it was asked."""

    @classmethod
    def failed(cls, uri: str, cause: Exception) -> RegistryError:
        first_line = (str(cause) or type(cause).__name__).splitlines()[0]
        problem = f"MLflow at {uri} failed ({first_line[:200]})"
        return cls(
            _CREDENTIALS.sub("***", problem),
            next_step="check LOCKSTEP_MLFLOW_URI and that what it names is up and writable",
        )

    @classmethod
    def no_driver(cls, dialect: str, cause: ImportError) -> RegistryError:
        return cls(
            f"MLflow on {dialect} needs a package that is not installed ({cause})",
            next_step="install it; for PostgreSQL it comes with `lockstep[postgres]`",
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
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    databases, artefacts = (MlflowException, SQLAlchemyError), (Boto3Error, BotoCoreError)
    try:
        with _database(uri):
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        yield client
    except (*databases, *artefacts, ClientError, OSError) as error:
        raise RegistryError.failed(uri, error) from error


@contextmanager
def _database(uri: str) -> Iterator[None]:
    """A database that answers, of which nobody else makes the tables inside the block.

    MLflow itself asks one that is down for a minute and a half; and of two that first come
    to an empty PostgreSQL one fails, as both make the same tables.
    """
    if not uri.startswith(_DATABASES):
        yield
        return
    from sqlalchemy import NullPool, create_engine, text

    try:
        engine = create_engine(uri, poolclass=NullPool)
    except ImportError as error:
        raise RegistryError.no_driver(uri.partition(":")[0], error) from error
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = '60s'"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_TABLES_LOCK})"))
        yield
