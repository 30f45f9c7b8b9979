"""Rows to scores: what was read, what is computed, what the policy does, and who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
from catboost import CatBoostClassifier, Pool
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.predictor import Predictor
from lockstep.contract.registered_model import RegisteredModel
from lockstep.contract.status import FeatureStatus
from lockstep.contract.targets import ClassTarget
from lockstep.stores.feature_vectors import NO_TIME, STATUSES, FeatureVectors
from lockstep.windows.microseconds import instant_at
from serving.errors import (
    DefinitionsError,
    FutureFeaturesError,
    NotMaterializedError,
    RejectedStatusError,
)
from serving.plan import PlannedFunction, ServicePlan
from serving.plan_compiler import service_plan
from serving.rows import Asked, Scored
from serving.scorer import Scorer, plan_for

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


@given(ROWS)
def test_a_row_alone_is_bit_for_bit_what_it_is_among_others(rows: list[tuple[Row, int]]) -> None:
    together = score([row for row, _ in rows], [cents for _, cents in rows])
    for number, (row, cents) in enumerate(rows):
        alone = score([row], [cents])
        for name in ("values", "codes", "ages"):
            among = getattr(together.read, name)[number]
            assert getattr(alone.read, name)[0].tobytes() == among.tobytes()
        assert alone.scores.tobytes() == together.scores[number : number + 1].tobytes()
        assert str(alone.refused.get(0)) == str(together.refused.get(number))


@given(ROWS)
def test_a_function_of_arrays_and_the_same_of_lists_say_the_same(
    rows: list[tuple[Row, int]],
) -> None:
    stored, cents = [row for row, _ in rows], [cents for _, cents in rows]
    lists = service(columns="")
    assert [f.takes_columns for f in (*PLAN.functions, *lists.functions)] == [True, False]
    of_arrays = score(stored, cents)
    of_lists = score(stored, cents, plan=lists)
    assert of_arrays.read.values.tobytes() == of_lists.read.values.tobytes()
    assert of_arrays.scores.tobytes() == of_lists.scores.tobytes()


def test_features_come_in_the_order_of_the_service_and_stored_ones_as_they_are() -> None:
    scored = score([GOOD], [50], t_us=[T_US + 3 * SECOND])
    assert [feature.name for feature in scored.read.features] == list(ORDER)
    assert scored.read.values.tolist() == [[4, 25, 3, 2, 60, 5]]
    assert [cell(scored, name) for name in ("n", "share")] == [
        (4, PRESENT, 3.0),
        (2, PRESENT, 0.0),
    ]


def test_the_score_is_the_models_for_the_values_that_are_shown() -> None:
    rows = [GOOD, GOOD | {"mean": (NAN, NULL)}, GOOD | {"n": (-90.0, STALE)}]
    scored = score(rows, [50, 7, 0])
    expected = MODEL.predictor.model.predict(scored.read.values, prediction_type="Probability")
    assert scored.scores.tolist() == expected[:, 1].tolist()
    assert len(set(scored.scores.tolist())) > 1


def test_a_model_may_read_fewer_features_in_an_order_of_its_own() -> None:
    fewer = model(("seen", "n"), fingerprint=PLAN.fingerprint)
    scored = score([GOOD], [50], served=fewer)
    expected = fewer.predictor.scores({"seen": [5.0], "n": [4.0]})
    assert scored.scores.tolist() == expected.tolist()
    assert len(scored.read.features) == len(ORDER)


def test_a_computed_null_is_null_and_all_else_present() -> None:
    unknown = dict.fromkeys(GOOD, (NAN, NOT_FOUND))
    scored = score([unknown, GOOD], [50, 50])
    value, status, age = cell(scored, "share")
    assert (np.isnan(value), status, age) == (True, NULL, 0.0)
    assert cell(scored, "seen") == (1, PRESENT, 0.0)
    assert cell(scored, "share", row=1) == (2, PRESENT, 0.0)


def test_an_age_is_how_far_t_is_past_the_views_own_horizon() -> None:
    horizons = (T_US - 90 * SECOND, T_US + SECOND)
    scored = score([GOOD, GOOD], [1, 1], horizons=horizons, t_us=[T_US, T_US + 3 * SECOND // 2])
    ages = {name: [cell(scored, name, row)[2] for row in (0, 1)] for name in (*LISTED, "spent")}
    assert ages == {"n": [90.0, 91.5], "mean": [90.0, 91.5], "m": [0.0, 0.5], "spent": [0.0, 0.0]}


@pytest.mark.parametrize("row", [GOOD, GOOD | {"n": (NAN, NULL)}])
def test_a_function_of_lists_is_handed_whole_numbers_as_such_whatever_else_is_null(
    row: Row,
) -> None:
    plan = service(kinds, columns="")
    scored = score([GOOD, row], [50, 50], plan=plan)
    assert [cell(scored, "spent", number)[0] for number in (0, 1)] == [1, 1]


def test_a_default_takes_the_place_of_the_value_and_leaves_its_status() -> None:
    plan = service(on_null="0", on_expired="-80", on_stale="70")
    rows = [
        GOOD | {"n": (NAN, NULL)},
        GOOD | {"n": (NAN, EXPIRED)},
        GOOD | {"n": (9.0, STALE)},
        GOOD | {"n": (NAN, NOT_FOUND)},
        GOOD,
    ]
    scored = score(rows, [50] * 5, plan=plan)
    shown = [cell(scored, "n", row) for row in range(5)]
    np.testing.assert_array_equal([value for value, _, _ in shown], [0, -80, 70, NAN, 4])
    assert [status for _, status, _ in shown] == [NULL, EXPIRED, STALE, NOT_FOUND, PRESENT]
    # Functions see what was stored.
    assert [cell(scored, "seen", row)[0] for row in range(5)] == [1, 1, 10, 1, 5]
    expected = MODEL.predictor.model.predict(scored.read.values, prediction_type="Probability")
    assert scored.scores.tolist() == expected[:, 1].tolist()
    assert scored.refused == {}


def test_a_default_is_not_for_what_a_function_computes() -> None:
    row = GOOD | {"mean": (0.0, PRESENT)}
    without, with_default = (score([row], [50], plan=plan) for plan in (PLAN, service(on_null="9")))
    assert cell(with_default, "share")[1] == NULL
    assert without.scores.tolist() == with_default.scores.tolist()


def test_a_status_that_is_rejected_refuses_its_row_and_names_the_features() -> None:
    plan = service(on_stale="reject")
    stale = GOOD | {"n": (1.0, STALE), "m": (2.0, STALE)}
    scored = score([GOOD, stale, GOOD | {"n": (NAN, NULL)}], [1, 2, 3], plan=plan)
    assert set(scored.refused) == {1}
    assert isinstance(scored.refused[1], RejectedStatusError)
    assert "'cards_v1' rejects what is stored" in str(scored.refused[1])
    assert "n is STALE, m is STALE" in str(scored.refused[1])


def test_what_is_only_computed_with_is_not_rejected() -> None:
    plan = service(on_stale="reject", on_null="reject")
    scored = score([GOOD | {"hidden": (1.0, STALE)}, GOOD | {"mean": (0.0, PRESENT)}], [1, 2])
    assert scored.refused == {}
    assert score([GOOD | {"hidden": (1.0, STALE)}], [1], plan=plan).refused == {}


@pytest.mark.parametrize("name", GOOD)
def test_a_value_of_the_future_refuses_its_row_even_where_it_is_only_computed_with(
    name: str,
) -> None:
    plan = service(on_stale="reject")
    future = dict.fromkeys(GOOD, (1.0, STALE)) | {name: (NAN, FUTURE)}
    scored = score([GOOD, future], [1, 2], plan=plan, t_us=[T_US, T_US + 5])
    assert set(scored.refused) == {1}
    error = scored.refused[1]
    assert isinstance(error, FutureFeaturesError)
    assert f"'{'shop' if name == 'm' else 'card'}'" in str(error)
    assert instant_at(T_US + 5).isoformat() in str(error)


@given(ROWS, st.dictionaries(st.sampled_from(["on_stale", "on_expired"]), st.just("reject")))
def test_a_row_is_refused_for_its_own_cells_only(
    rows: list[tuple[Row, int]], policy: dict[str, str]
) -> None:
    plan = service(**policy)
    scored = score([row for row, _ in rows], [cents for _, cents in rows], plan=plan)
    rejected = {FeatureStatus[tag.removeprefix("on_").upper()] for tag in policy}
    for number, (row, _) in enumerate(rows):
        is_future = any(status == FUTURE for _, status in row.values())
        is_rejected = any(row[name][1] in rejected for name in LISTED)
        assert (number in scored.refused) == (is_future or is_rejected)


@pytest.mark.parametrize(
    ("horizons", "views"), [((None, T_US), ["card"]), ((None, None), ["card", "shop"])]
)
def test_an_empty_store_is_not_taken_for_unknown_entities(
    horizons: tuple[int | None, ...], views: list[str]
) -> None:
    with pytest.raises(NotMaterializedError) as raised:
        score([GOOD], [1], horizons=horizons)
    assert f"the online store holds nothing of {views}" in str(raised.value)


def test_the_seconds_of_redis_and_of_the_model_are_told_once_a_batch() -> None:
    told: list[tuple[float, float]] = []
    score([GOOD, GOOD], [1, 2], timed=lambda redis, model: told.append((redis, model)))
    ((redis, in_model),) = told
    assert redis >= 0
    assert in_model > 0


def test_a_function_that_is_not_installed_is_found_before_a_request() -> None:
    lost = PlannedFunction("compared", ("share",), __name__, "gone", takes_columns=True)
    reader: Any = Store(PLAN, [GOOD], (T_US, T_US))
    with pytest.raises(DefinitionsError, match=r"\.gone, is not installed"):
        Scorer(MODEL, replace(PLAN, functions=(lost,)), reader)


def test_a_model_gets_the_plan_of_its_own_service() -> None:
    other = replace(PLAN, name="cards_v2")
    assert plan_for(MODEL, {"cards_v2": other, "cards_v1": PLAN}) is PLAN


def test_a_model_may_read_fewer_features_than_its_service_offers() -> None:
    fewer = model(("seen", "n"), fingerprint=PLAN.fingerprint)
    assert plan_for(fewer, {"cards_v1": PLAN}) is PLAN


def test_a_model_of_another_service_is_refused() -> None:
    lost = model(service="cards_v0", fingerprint=PLAN.fingerprint)
    expected = r"version 7 was trained on feature service 'cards_v0'.*it has \['cards_v1'\]"
    with pytest.raises(DefinitionsError, match=expected):
        plan_for(lost, {"cards_v1": PLAN})


def test_a_model_of_features_that_are_not_offered_is_refused() -> None:
    more = model(("n", "hidden"), fingerprint=PLAN.fingerprint)
    with pytest.raises(DefinitionsError, match=r"reads \['hidden'\], which feature service"):
        plan_for(more, {"cards_v1": PLAN})


def test_a_model_of_other_definitions_is_refused() -> None:
    elsewhere = model(fingerprint="5f2a" * 16)
    expected = f"on definitions 5f2a5f2a5f2a of .*this server has {PLAN.fingerprint[:12]}"
    with pytest.raises(DefinitionsError, match=expected):
        plan_for(elsewhere, {"cards_v1": PLAN})
