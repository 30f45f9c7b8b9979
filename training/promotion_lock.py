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
_TAKEN = "RESOURCE_ALREADY_EXISTS"


@contextmanager
def promotion_lock(client: MlflowClient, name: str) -> Iterator[None]:
    """Nobody else promotes a model of this name inside the block.

    Raises:
        PromotionError: somebody does, and did not begin ten minutes ago or more.
    """
    lock = name + _SUFFIX
    _take(client, lock, name)
    try:
        yield
    finally:
        client.delete_registered_model(lock)


def _take(client: MlflowClient, lock: str, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(lock)
    except MlflowException as error:
        if error.error_code != _TAKEN:
            raise
        since = client.get_registered_model(lock).creation_timestamp / 1000
        if time.time() - since < _DEAD_SECONDS:
            began = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds")
            raise PromotionError.under_way(name, began) from error
        client.delete_registered_model(lock)
        client.create_registered_model(lock)
