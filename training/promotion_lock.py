"""One promotion of a model at a time, on whatever MLflow stores its registry in.

MLflow moves an alias whether or not somebody else has just moved it. What every store of it
refuses is a second registered model of the same name: the lock is one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from training.errors import PromotionError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SUFFIX = ".promotion-under-way"
# A promotion takes seconds; one that is this old was killed.
_DEAD_SECONDS = 600.0
_TAKEN, _GONE = "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"
_ASK_AGAIN_SECONDS = 0.2


@contextmanager
def promotion_lock(
    client: MlflowClient, name: str, *, patience_seconds: float = 0.0
) -> Iterator[None]:
    """Nobody else promotes a model of this name inside the block.

    Raises:
        PromotionError: somebody does, did not begin ten minutes ago or more, and does so
            still after `patience_seconds`.
    """
    lock = name + _SUFFIX
    _take(client, lock, name, patience_seconds)
    try:
        yield
    finally:
        client.delete_registered_model(lock)


def _take(client: MlflowClient, lock: str, name: str, patience_seconds: float) -> None:
    give_up = time.monotonic() + patience_seconds
    while not _created(client, lock):
        since = _since(client, lock)
        if time.time() - since >= _DEAD_SECONDS:
            client.delete_registered_model(lock)
        elif time.monotonic() >= give_up:
            began = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds")
            raise PromotionError.under_way(name, began)
        else:
            time.sleep(_ASK_AGAIN_SECONDS)


def _created(client: MlflowClient, lock: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(lock)
    except MlflowException as error:
        # Gone: it was given back while MLflow looked at what is in the way.
        if error.error_code not in (_TAKEN, _GONE):
            raise
        return False
    return True


def _since(client: MlflowClient, lock: str) -> float:
    """When it was taken, in seconds since 1970; now, if it has just been given back."""
    from mlflow.exceptions import MlflowException

    try:
        return float(client.get_registered_model(lock).creation_timestamp) / 1000
    except MlflowException as error:
        if error.error_code != _GONE:
            raise
        return time.time()
