"""A small service with a real model, and a store that holds what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from catboost import CatBoostClassifier, Pool
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from hypothesis import strategies as st

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.predictor import Predictor
from lockstep.contract.registered_model import RegisteredModel
from lockstep.contract.status import FeatureStatus
from lockstep.contract.targets import ClassTarget
from lockstep.stores.feature_vectors import NO_TIME, STATUSES, FeatureVectors
from serving.plan import ServicePlan
from serving.plan_compiler import service_plan
from serving.rows import Asked, Scored
from serving.scorer import Scorer

SECOND = 1_000_000
T_US = 1_522_540_800_000_000
NAN = float("nan")
# What the service lists of two views, in its order, and what their functions compute.
LISTED = ("n", "mean", "m")
COMPUTED = ("share", "spent", "seen")
ORDER = (*LISTED, *COMPUTED)
PRESENT, NULL = FeatureStatus.PRESENT, FeatureStatus.NULL
STALE, FUTURE = FeatureStatus.STALE, FeatureStatus.FUTURE
EXPIRED, NOT_FOUND = FeatureStatus.EXPIRED, FeatureStatus.NOT_FOUND


def compare(inputs: dict[str, Any]) -> dict[str, Any]:
    """Lists in, lists out; arrays in, arrays out; with null where there is nothing to divide by."""
    import numpy as np

    cents = np.asarray(inputs["cents"], dtype=np.float64)
    means = np.asarray(inputs["mean"], dtype=np.float64)
    hidden = np.nan_to_num(np.asarray(inputs["hidden"], dtype=np.float64))
    counts = np.nan_to_num(np.asarray(inputs["n"], dtype=np.float64)).astype(np.int64)
    outputs = {
        "share": np.divide(cents, means, out=np.full(len(cents), np.nan), where=means > 0),
        "spent": cents.astype(np.int64) + hidden.astype(np.int64),
        "seen": counts + 1,
    }
    if isinstance(inputs["cents"], list):
        return {
            name: [None if value != value else value for value in column.tolist()]
            for name, column in outputs.items()
        }
    return outputs


def kinds(inputs: dict[str, Any]) -> dict[str, Any]:
    """1 where all that is whole comes as int or None, else 0; it takes lists."""
    columns = (inputs[name] for name in ("n", "hidden", "m", "cents"))
    whole = [
        int(all(type(value) in (int, type(None)) for value in row))
        for row in zip(*columns, strict=True)
    ]
    return {"share": inputs["mean"], "spent": whole, "seen": whole}


def service(
    function: FunctionType = compare, *, columns: str = "numpy", **policy: str
) -> ServicePlan:
    """The plan of a service over two views, one of whose features is only computed with."""

    def view(name: str, key: str, **features: Any) -> FeatureView:
        return FeatureView(
            name=name,
            entities=[Entity(name=key, join_keys=[key], value_type=ValueType.INT64)],
            ttl=timedelta(0),
            schema=[Field(name=n, dtype=t) for n, t in ({key: Int64} | features).items()],
            source=FileSource(path=name, timestamp_field="event_timestamp"),
        )

    card = view("card", "card_id", n=Int64, mean=Float64, hidden=Int64)
    shop = view("shop", "shop_id", m=Int64)
    payment = RequestSource(name="payment", schema=[Field(name="cents", dtype=Int64)])
    # A copy: Feast takes a function once, as it moves it to `__main__`.
    copied = FunctionType(function.__code__, function.__globals__, function.__name__)
    computed = on_demand_feature_view(
        name="compared",
        sources=[card, shop, payment],
        schema=[Field(name="share", dtype=Float64)]
        + [Field(name=name, dtype=Int64) for name in ("spent", "seen")],
        mode="python",
        tags={"columns": columns},
    )(copied)
    module = ModuleType("definitions")
    module.__dict__.update(card=card, shop=shop, computed=computed)
    made = FeatureService(
        name="cards_v1", features=[card[["n", "mean"]], shop[["m"]], computed], tags=policy
    )
    return service_plan("cards", made, module)


def model(
    order: tuple[str, ...] = ORDER, *, service: str = "cards_v1", fingerprint: str
) -> RegisteredModel:
    """A real model of a few trees, which splits on each feature."""
    generator = np.random.default_rng(7)
    rows = generator.normal(scale=50, size=(400, len(order)))
    rows[generator.random(rows.shape) < 0.2] = NAN
    labels = np.nan_to_num(rows).sum(axis=1) > 0
    fitted = CatBoostClassifier(
        iterations=30, depth=4, logging_level="Silent", allow_writing_files=False, random_seed=0
    ).fit(Pool(rows, label=labels, feature_names=list(order)))
    artefact = ModelArtefact(
        use_case="fraud",
        feature_service=service,
        feature_order=order,
        target=ClassTarget(0.5),
        trained_as_of=datetime(2018, 8, 1, tzinfo=UTC),
        fingerprint=fingerprint,
    )
    return RegisteredModel("fraud", 7, Predictor(artefact, fitted))


PLAN = service()
MODEL = model(fingerprint=PLAN.fingerprint)


class Store:
    """Stands where the reader of Redis does; holds cells by card, as (value, status)."""

    def __init__(
        self, plan: ServicePlan, rows: Sequence[Row], horizons: tuple[int | None, ...]
    ) -> None:
        self._features = plan.reads.read_features
        self._rows = rows
        self._horizons = horizons

    async def vectors(self, entities: Sequence[Any], t_us: Sequence[int]) -> FeatureVectors:
        assert len(entities) == len(t_us)
        asked = [self._rows[ids["card_id"]] for ids in entities]
        values = [[row[name][0] for name in self._features] for row in asked]
        codes = [[STATUSES.index(row[name][1]) for name in self._features] for row in asked]
        shape = (len(asked), len(self._features))
        return FeatureVectors(
            self._features,
            np.array(values, np.float64).reshape(shape),
            np.array(codes, np.uint8).reshape(shape),
            np.full((len(asked), len(self._horizons)), NO_TIME),
            self._horizons,
        )


Row = dict[str, tuple[float, FeatureStatus]]
GOOD: Row = {
    "n": (4.0, PRESENT),
    "mean": (25.0, PRESENT),
    "hidden": (10.0, PRESENT),
    "m": (3.0, PRESENT),
}
_CELLS = st.sampled_from(STATUSES).flatmap(
    lambda status: st.tuples(
        st.integers(-300, 300).map(float) if status.keeps_value else st.just(NAN), st.just(status)
    )
)
ROWS = st.lists(
    st.tuples(st.fixed_dictionaries(dict.fromkeys(GOOD, _CELLS)), st.integers(0, 10**11)),
    min_size=1,
    max_size=8,
)


def score(
    rows: Sequence[Row],
    cents: Sequence[int],
    *,
    plan: ServicePlan = PLAN,
    served: RegisteredModel = MODEL,
    horizons: tuple[int | None, ...] = (T_US, T_US),
    t_us: Sequence[int] | None = None,
    timed: Callable[[float, float], None] = lambda redis, model: None,
) -> Scored:
    """The rows scored together, as Redis would hold them."""
    reader: Any = Store(plan, rows, horizons)
    entities = [{"card_id": number, "shop_id": number} for number in range(len(rows))]
    asked = Asked(entities, {"cents": cents}, t_us or [T_US] * len(rows))
    return asyncio.run(Scorer(served, plan, reader, timed).score(asked))


def cell(scored: Scored, name: str, row: int = 0) -> tuple[float, FeatureStatus, float]:
    """Value, status and age of one feature."""
    column = [feature.name for feature in scored.read.features].index(name)
    read = scored.read
    return (
        read.values[row, column].item(),
        STATUSES[read.codes[row, column]],
        read.ages[row, column].item(),
    )
