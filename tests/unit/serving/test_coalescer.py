"""Rows that wait together go out together: each once, and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.coalescer import Coalescer


class Asked:
    """Answers `-row` when a batch is let go; `batches` are the rows that were asked."""

    def __init__(self, most_rows: int = 3) -> None:
        self.batches: list[list[int]] = []
        self.sizes: list[int] = []
        self.gates: list[asyncio.Event] = []
        self.bad: set[int] = set()
        self.coalescer: Coalescer[int, int] = Coalescer(
            self._answer, most_rows=most_rows, on_batch=self.sizes.append
        )

    async def _answer(self, rows: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(rows))
        self.gates.append(asyncio.Event())
        await self.gates[-1].wait()
        if self.bad.intersection(rows):
            raise OSError(f"of {list(rows)}")
        return [-row for row in rows]

    async def ask(self, *rows: int) -> list[asyncio.Task[int]]:
        """Tasks that wait for these rows."""
        tasks = [asyncio.create_task(self.coalescer.answer(row)) for row in rows]
        await turns()
        return tasks

    async def let_go(self) -> None:
        """Ends the batch that is under way."""
        self.gates[-1].set()
        await turns()


async def turns() -> None:
    """Lets everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_row_alone_is_asked_at_once_and_alone() -> None:
    async def run() -> None:
        asked = Asked()
        for row in (1, 2):
            (task,) = await asked.ask(row)
            assert asked.batches[-1] == [row]
            await asked.let_go()
            assert task.result() == -row
        assert asked.sizes == [1, 1]

    asyncio.run(run())


def test_rows_of_one_turn_of_the_loop_go_out_together() -> None:
    async def run() -> None:
        asked = Asked()
        tasks = await asked.ask(1, 2, 3)
        assert asked.batches == [[1, 2, 3]]
        await asked.let_go()
        assert [task.result() for task in tasks] == [-1, -2, -3]

    asyncio.run(run())


def test_rows_that_come_meanwhile_go_out_in_order_and_not_too_many_at_once() -> None:
    async def run() -> None:
        asked = Asked(most_rows=3)
        tasks = await asked.ask(0)
        for row in range(1, 6):
            tasks += await asked.ask(row)
        assert asked.batches == [[0]]
        for _ in range(3):
            await asked.let_go()
        assert asked.batches == [[0], [1, 2, 3], [4, 5]]
        assert asked.sizes == [1, 3, 2]
        assert [task.result() for task in tasks] == [0, -1, -2, -3, -4, -5]

    asyncio.run(run())


def test_an_error_is_everybodys_of_its_batch_and_of_no_other() -> None:
    async def run() -> None:
        asked = Asked(most_rows=2)
        asked.bad = {2}
        tasks = await asked.ask(1, 2, 3, 4)
        for _ in range(2):
            await asked.let_go()
        for task in tasks[:2]:
            with pytest.raises(OSError, match=r"of \[1, 2\]"):
                task.result()
        assert [task.result() for task in tasks[2:]] == [-3, -4]

    asyncio.run(run())


def test_after_an_error_the_next_row_is_asked_at_once() -> None:
    async def run() -> None:
        asked = Asked()
        asked.bad = {1}
        (failed,) = await asked.ask(1)
        await asked.let_go()
        assert isinstance(failed.exception(), OSError)
        (task,) = await asked.ask(2)
        await asked.let_go()
        assert task.result() == -2

    asyncio.run(run())


def test_who_stops_waiting_is_not_asked_for_and_disturbs_nobody() -> None:
    async def run() -> None:
        asked = Asked()
        first = await asked.ask(1, 2)
        waiting = await asked.ask(3, 4, 5)
        first[0].cancel()
        waiting[1].cancel()
        for _ in range(2):
            await asked.let_go()
        assert asked.batches == [[1, 2], [3, 5]]
        assert first[0].cancelled()
        assert waiting[1].cancelled()
        assert [task.result() for task in (first[1], waiting[0], waiting[2])] == [-2, -3, -5]

    asyncio.run(run())


def test_a_batch_that_nobody_waits_for_any_more_is_not_asked() -> None:
    async def run() -> None:
        asked = Asked()
        (first,) = await asked.ask(1)
        (gone,) = await asked.ask(2)
        gone.cancel()
        await asked.let_go()
        assert first.result() == -1
        assert (asked.batches, asked.sizes) == ([[1]], [1])
        (last,) = await asked.ask(3)
        await asked.let_go()
        assert last.result() == -3

    asyncio.run(run())


@pytest.mark.parametrize("answers", [[], [1], [1, 2, 3]])
def test_answers_that_are_not_one_a_row_are_an_error_of_all(answers: list[int]) -> None:
    async def run() -> None:
        async def answer(rows: Sequence[int]) -> Sequence[int]:
            return answers

        coalescer: Coalescer[int, int] = Coalescer(answer, most_rows=9)
        tasks = [asyncio.create_task(coalescer.answer(row)) for row in (1, 2)]
        await turns()
        assert [type(task.exception()) for task in tasks if task.done()] == [ValueError] * 2

    asyncio.run(run())


_STEPS = st.lists(
    st.tuples(st.just("ask"), st.integers(1, 4))
    | st.tuples(st.just("let go"), st.just(0))
    | st.tuples(st.just("cancel"), st.integers(0, 30)),
    max_size=25,
)


@given(_STEPS, st.integers(1, 4), st.sets(st.integers(0, 30)))
def test_every_row_is_asked_at_most_once_and_gets_its_own_answer(
    steps: list[tuple[str, int]], most_rows: int, bad: set[int]
) -> None:
    async def run() -> None:
        asked = Asked(most_rows)
        asked.bad = bad
        tasks: list[asyncio.Task[int]] = []
        for what, number in steps:
            if what == "ask":
                tasks += await asked.ask(*range(len(tasks), len(tasks) + number))
            elif what == "cancel" and number < len(tasks):
                tasks[number].cancel()
                await turns()
            elif what == "let go" and asked.gates:
                await asked.let_go()
        while not all(task.done() for task in tasks):
            await asked.let_go()
        rows = [row for batch in asked.batches for row in batch]
        assert rows == sorted(set(rows))
        assert asked.sizes == [len(batch) for batch in asked.batches]
        assert all(1 <= size <= most_rows for size in asked.sizes)
        failed = {row for batch in asked.batches if bad.intersection(batch) for row in batch}
        for row, task in enumerate(tasks):
            if task.cancelled():
                continue
            assert row in rows
            if row in failed:
                assert isinstance(task.exception(), OSError)
            else:
                assert task.result() == -row

    asyncio.run(run())


@pytest.mark.parametrize(
    ("apart", "batches"), [(0.0001, [["a"], ["b", "c"]]), (0.05, [["a"], ["b"], ["c"]])]
)
def test_rows_that_come_close_to_each_other_are_waited_for(
    apart: float, batches: list[list[str]]
) -> None:
    """By a clock that goes on by so much with each row; `c` comes a little after `b`."""
    asked: list[list[str]] = []
    now = count()

    async def answer_all(rows: Sequence[str]) -> Sequence[str]:
        asked.append(list(rows))
        return rows

    async def run() -> None:
        coalescer = Coalescer(
            answer_all,
            most_rows=8,
            gather_seconds=0.02,
            monotonic=lambda: next(now) * apart,
        )
        assert await coalescer.answer("a") == "a"
        second = asyncio.create_task(coalescer.answer("b"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert await coalescer.answer("c") == "c"
        assert await second == "b"

    asyncio.run(run())
    assert asked == batches
