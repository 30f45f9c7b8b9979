"""Rows to scores: what was read, what is computed, what the policy does, and who is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scored_service import (
    EXPIRED,
    FUTURE,
    GOOD,
    LISTED,
    MODEL,
    NAN,
    NOT_FOUND,
    NULL,
    ORDER,
    PLAN,
    PRESENT,
    ROWS,
    SECOND,
    STALE,
    T_US,
    Row,
    Store,
    cell,
    kinds,
    model,
    score,
    service,
)

from lockstep.contract.status import FeatureStatus
from lockstep.windows.microseconds import instant_at
from serving.errors import (
    DefinitionsError,
    FutureFeaturesError,
    NotMaterializedError,
    RejectedStatusError,
)
from serving.plan import PlannedFunction
from serving.scorer import Scorer, plan_for


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
