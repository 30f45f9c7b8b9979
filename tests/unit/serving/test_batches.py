"""Batches: every row has its own answer in its own place, whatever the parts do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.batches import PART_ROWS, Batches
from serving.errors import RejectedStatusError, ServingError, TooManyRowsError
from serving.schemas import PredictRequest
from serving.use_cases.fraud import FraudRequest

NOW = datetime(2018, 8, 1, tzinfo=UTC)
KINDS = ("good", "refused", "bad")
SIZES = st.integers(1, 3 * PART_ROWS + 1) | st.sampled_from([1, PART_ROWS, 2 * PART_ROWS])


class Model:
    """Stands where the models do: answers a row with its own id, each part after a while."""

    def __init__(self, pauses: Sequence[float] = ()) -> None:
        self._pauses = iter(pauses)
        self._numbers: Iterator[int] = count()
        self.seen: list[tuple[Any, datetime]] = []
        self.ended = 0

    def current(self) -> Any:
        """Another model each time that it is asked for."""
        return next(self._numbers)

    async def answer(
        self, serving: Any, requests: Sequence[PredictRequest], now: datetime
    ) -> list[dict[str, Any] | ServingError]:
        self.seen.append((serving, now))
        try:
            await asyncio.sleep(next(self._pauses, 0))
        finally:
            self.ended += 1
        ids = [request.entity_ids() for request in requests]
        return [
            RejectedStatusError.features("s", {"n": "NULL"})
            if found["terminal_id"]
            else {"score": found["customer_id"]}
            for found in ids
        ]


def body(kinds: Sequence[str]) -> bytes:
    """A row of each kind; its number is the card's id."""
    rows = [
        {"customer_id": number, "terminal_id": int(kind == "refused"), "amount_cents": 1}
        | ({"more": 1} if kind == "bad" else {})
        for number, kind in enumerate(kinds)
    ]
    return json.dumps({"rows": rows}).encode()


def answered(model: Model, content: bytes, *, most_rows: int = 10_000) -> list[dict[str, Any]]:
    batches = Batches(FraudRequest, model.answer, most_rows=most_rows)  # type: ignore[arg-type]  # as a store's
    found = json.loads(asyncio.run(batches.answered(content, model.current, NOW)))
    assert set(found) == {"rows"}
    rows: list[dict[str, Any]] = found["rows"]
    return rows


@given(st.data(), SIZES)
@settings(max_examples=40)
def test_each_row_has_its_answer_in_its_place(data: st.DataObject, size: int) -> None:
    odd = data.draw(st.dictionaries(st.integers(0, size - 1), st.sampled_from(KINDS), max_size=9))
    kinds = [odd.get(number, "good") for number in range(size)]
    model = Model(data.draw(st.lists(st.sampled_from([0, 0.001, 0.003]), max_size=4)))
    rows = answered(model, body(kinds))
    assert len(rows) == size
    for number, (kind, row) in enumerate(zip(kinds, rows, strict=True)):
        if kind == "good":
            assert row == {"prediction": {"score": number}}
        else:
            assert row["problem"]["status"] == 422
            assert row["problem"]["instance"] == f"#/rows/{number}"
            assert ("more" in row["problem"]["detail"]) == (kind == "bad")
    # By one model and at one T, though models change meanwhile.
    assert set(model.seen) <= {(0, NOW)}


def test_rows_without_a_good_one_need_no_model() -> None:
    model = Model()
    rows = answered(model, body(["bad"] * 3))
    assert [set(row) for row in rows] == [{"problem"}] * 3
    assert model.seen == []


def test_a_part_that_fails_ends_the_others() -> None:
    class Failing(Model):
        async def answer(self, serving: Any, requests: Any, now: datetime) -> Any:
            if requests[0].entity_ids()["customer_id"] == PART_ROWS:
                raise ConnectionError("gone")
            return await super().answer(serving, requests, now)

    model = Failing(pauses=[0.001, 3600])
    with pytest.raises(ConnectionError, match="gone"):
        answered(model, body(["good"] * 3 * PART_ROWS))
    assert model.ended == 2


@pytest.mark.parametrize("content", [b"[]", b'{"rows": []}', b'{"rows": 1}', b'{"row": [1]}'])
def test_what_is_no_batch_is_refused(content: bytes) -> None:
    with pytest.raises(ValidationError):
        answered(Model(), content)


def test_more_rows_than_the_limit_are_refused() -> None:
    model = Model()
    with pytest.raises(TooManyRowsError):
        answered(model, body(["good"] * 4), most_rows=3)
    assert model.seen == []
