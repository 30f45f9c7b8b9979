"""A store over a real cache of small models, and what it told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from catboost import CatBoostClassifier, Pool

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.registered_model import RegisteredModel
from lockstep.contract.targets import ClassTarget
from lockstep.errors import LockstepError
from lockstep.stores.read_plan import ReadPlan
from serving.model_cache import EXAMPLE, METADATA, MODEL, Cached, CacheState, ModelCache
from serving.model_store import ModelStore
from serving.plan import PlannedFeature, ServicePlan
from serving.scorer import Scorer

ORDER = ("a", "b")
SERVICES = {
    "cards_v1": ServicePlan(
        name="cards_v1",
        fingerprint="5f2a",
        features=tuple(PlannedFeature(name, "cards", "Float64", "") for name in ORDER),
        stored=(),
        reads=ReadPlan(()),
        functions=(),
        policy={},
        log_columns=(),
    )
}


def save_model(path: Path) -> None:
    """A real model of a few trees."""
    rows = np.random.default_rng(0).normal(size=(200, 2))
    fitted = CatBoostClassifier(
        iterations=5, logging_level="Silent", allow_writing_files=False, random_seed=0
    ).fit(Pool(rows, label=rows[:, 0] > 0, feature_names=list(ORDER)))
    fitted.save_model(str(path))


class Reader:
    """Stands where the reader of Redis does, and knows whether it was closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True


@dataclass
class Served:
    """A store over a real cache, and what it told."""

    cache: ModelCache
    model_file: Path
    swaps: list[tuple[str, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = ModelStore(self.cache, SERVICES, self._scorer, on_swap=self._swapped)

    def fetched(self, version: int, **changes: Any) -> Cached:
        """A version in the cache, as the fetcher leaves it; `changes` are to its metadata."""
        artefact = ModelArtefact(
            "fraud", "cards_v1", ORDER, ClassTarget(0.5), datetime(2018, 8, 1, tzinfo=UTC)
        )
        cached = Cached(version, f"{version}-run")
        folder = self.cache.folder / cached.folder
        folder.mkdir(parents=True)
        (folder / MODEL).write_bytes(self.model_file.read_bytes())
        metadata = replace(artefact, fingerprint="5f2a").to_metadata() | changes
        (folder / METADATA).write_bytes(msgspec.json.encode(metadata))
        (folder / EXAMPLE).write_bytes(b"[[1.0, null]]")
        return cached

    def versions(self) -> tuple[int, int | None]:
        """Those of the champion and its challenger."""
        serving = self.store.current()
        challenger = serving.challenger
        return serving.champion.served.version, challenger and challenger.served.version

    def refusal(self) -> LockstepError:
        with pytest.raises(LockstepError) as raised:
            self.store.current()
        return raised.value

    async def decided(self, **state: Any) -> None:
        """What happens when the fetcher has written this state."""
        self.cache.write_state(CacheState(**state))
        await self.store.refresh()

    def _scorer(self, served: RegisteredModel, plan: ServicePlan) -> Scorer:
        reader: Any = Reader()
        return Scorer(served, plan, reader)

    def _swapped(self, alias: str, scorer: Scorer | None) -> None:
        self.swaps.append((alias, scorer.served.version if scorer else None))


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """The test in a loop of its own."""
    asyncio.run(test())
