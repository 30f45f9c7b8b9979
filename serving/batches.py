"""Many requests in one body: answered row by row, in parts that do not wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError

from lockstep.errors import LockstepError
from serving.answers import Document
from serving.errors import ServingError, TooManyRowsError
from serving.model_store import Serving
from serving.problems import problem_of
from serving.schemas import BatchRequest, PredictRequest

# For a batch of 1,000 Redis takes some 14 ms, and all the rest not much more: in parts both go on.
PART_ROWS = 250
# One is worked on while the other waits for Redis; each holds megabytes until it is answered.
_MOST_AT_ONCE = 2

Answer = Callable[
    [Serving, Sequence[PredictRequest], datetime], Awaitable[Sequence[Document | ServingError]]
]


class Batches:
    """Answers batches of a request; `answer` does so for rows without fault, by one model at T."""

    def __init__(self, request: type[PredictRequest], answer: Answer, *, most_rows: int) -> None:
        self._request = request
        self._requests: TypeAdapter[list[PredictRequest]] = TypeAdapter(list[request])  # type: ignore[valid-type]  # a value
        self._answer = answer
        self._most_rows = most_rows
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)

    async def answered(self, body: bytes, current: Callable[[], Serving], now: datetime) -> bytes:
        """A document with `BatchRow`s in the order of the rows, all by one model.

        Raises:
            ValidationError: the body is no list of rows.
            TooManyRowsError: it has more rows than the limit.
            LockstepError: there is no model or no Redis.
        """
        async with self._turns:
            return await self._in_parts(body, current, now)

    async def _in_parts(self, body: bytes, current: Callable[[], Serving], now: datetime) -> bytes:
        rows, serving = BatchRequest.model_validate_json(body).rows, cache(current)
        if len(rows) > self._most_rows:
            raise TooManyRowsError.over(len(rows), self._most_rows)
        # Redis reads for some rows while others are checked, scored and told.
        parts = [
            asyncio.ensure_future(self._part(rows[at : at + PART_ROWS], at, serving, now))
            for at in range(0, len(rows), PART_ROWS)
        ]
        try:
            return b'{"rows":[%b]}' % b",".join([await part for part in parts])
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _part(
        self, rows: Sequence[Any], first: int, serving: Callable[[], Serving], now: datetime
    ) -> bytes:
        """The documents of some rows, one after another; `first` is the number of the first."""
        checked = self._checked(rows)
        good = [request for request in checked if isinstance(request, PredictRequest)]
        answers = iter(await self._answer(serving(), good, now) if good else ())
        told = (bad if isinstance(bad, ValidationError) else next(answers) for bad in checked)
        documents = [_row(number, answer) for number, answer in enumerate(told, first)]
        return msgspec.json.encode(documents)[1:-1]

    def _checked(self, rows: Sequence[Any]) -> Sequence[PredictRequest | ValidationError]:
        try:
            return self._requests.validate_python(rows)
        except ValidationError:
            # Some row is bad: row by row it is seen which.
            return [self._checked_row(row) for row in rows]

    def _checked_row(self, row: Any) -> PredictRequest | ValidationError:
        try:
            return self._request.model_validate(row)
        except ValidationError as error:
            return error


def _row(number: int, answer: Document | LockstepError | ValidationError) -> Document:
    """The document of `BatchRow`."""
    if isinstance(answer, LockstepError | ValidationError):
        return {"problem": problem_of(answer, instance=f"#/rows/{number}")}
    return {"prediction": answer}
