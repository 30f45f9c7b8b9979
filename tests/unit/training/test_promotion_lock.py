"""One promotion at a time, and first registrations that wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lockstep.contract.model_registry import model_registry
from training.errors import PromotionError
from training.promotion_lock import promotion_lock


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("registry")
    with model_registry(f"sqlite:///{folder / 'mlflow.db'}") as client:
        yield client


def test_without_patience_the_second_is_refused(client: Any) -> None:
    with (
        promotion_lock(client, "toy"),
        pytest.raises(PromotionError, match="another promotion of model 'toy' is under way"),
        promotion_lock(client, "toy"),
    ):
        pass


def test_with_patience_the_second_comes_after_the_first(client: Any) -> None:
    order: list[str] = []

    def second() -> None:
        with promotion_lock(client, "toy", patience_seconds=60):
            order.append("second")

    waiting = threading.Thread(target=second)
    with promotion_lock(client, "toy"):
        waiting.start()
        time.sleep(0.5)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_patience_ends(client: Any) -> None:
    started = time.monotonic()
    with (
        promotion_lock(client, "toy"),
        pytest.raises(PromotionError),
        promotion_lock(client, "toy", patience_seconds=0.5),
    ):
        pass
    assert time.monotonic() - started >= 0.5
