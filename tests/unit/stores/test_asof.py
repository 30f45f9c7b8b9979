"""The point-in-time join against a loop over every step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.stores.asof import join_as_of
from lockstep.stores.errors import EntityFrameError

TIME = pl.Datetime("us", "UTC")
ENTITY_SCHEMA = {"a": pl.Int64, "b": pl.String, "event_timestamp": TIME}
STEP_SCHEMA = {**ENTITY_SCHEMA, "created_timestamp": TIME, "x": pl.Int64, "y": pl.String}


@dataclass(frozen=True)
class Step:
    key: tuple[int | None, str | None]
    event: int | None
    created: int | None
    x: int | None
    y: str | None


@dataclass(frozen=True)
class Entity:
    key: tuple[int | None, str | None]
    at: int
    patience: int  # how long after T the world may still have learnt something


# A key that could be mistaken for another when its parts are joined: (1, "23") and (12, "3").
PAIRS = [(1, "23"), (12, "3")]
keys = st.sampled_from([*PAIRS * 4, (None, "3"), (1, None)])
times = st.integers(0, 6)
# Most rows have their times, and many are late.
often_a_time = st.sampled_from([*range(9), None])
steps = st.lists(
    st.builds(
        Step,
        key=keys,
        event=often_a_time,
        created=often_a_time,
        x=st.integers(0, 9) | st.none(),
        y=st.sampled_from(["p", "q"]) | st.none(),
    ),
    min_size=5,
    max_size=40,
)
entities = st.lists(
    st.builds(Entity, key=keys, at=times, patience=st.sampled_from([0, 0, 1, 5])),
    min_size=1,
    max_size=15,
)


def step_frame(rows: list[Step]) -> pl.DataFrame:
    tuples = [(*s.key, s.event, s.created, s.x, s.y) for s in rows]
    return pl.DataFrame(tuples, schema=STEP_SCHEMA, orient="row")


def entity_frame(rows: list[Entity], *, known_as_of: bool) -> pl.DataFrame:
    frame = pl.DataFrame([(*e.key, e.at) for e in rows], schema=ENTITY_SCHEMA, orient="row")
    if not known_as_of:
        return frame
    known = pl.Series([e.at + e.patience for e in rows], dtype=pl.Int64).cast(TIME)
    return frame.with_columns(known_as_of=known)


def seen_by(entity: Entity, rows: list[Step], *, known: int | None, ttl: int) -> Step | None:
    """The newest visible step, by looking at every one."""
    best: tuple[int, int, int] | None = None
    for number, step in enumerate(rows):
        if step.key != entity.key or None in step.key or step.event is None:
            continue
        created = step.event if step.created is None else step.created
        if step.event <= entity.at and (known is None or created <= known):
            best = max(best or (-1, -1, -1), (step.event, created, number))
    if best is None or (ttl and entity.at - best[0] > ttl):
        return None
    return rows[best[2]]


@settings(max_examples=400)
@given(entities, steps, st.booleans(), st.integers(0, 4))
def test_every_row_sees_what_a_loop_over_all_steps_sees(
    people: list[Entity], rows: list[Step], known_as_of: bool, ttl: int
) -> None:
    joined = join_as_of(
        entity_frame(people, known_as_of=known_as_of),
        step_frame(rows),
        keys=["a", "b"],
        ttl=timedelta(microseconds=ttl),
    )
    expected = [
        seen_by(e, rows, known=e.at + e.patience if known_as_of else None, ttl=ttl) for e in people
    ]
    assert joined.with_columns(pl.col("event_timestamp").to_physical()).rows() == [
        (step.event, step.x, step.y) if step else (None, None, None) for step in expected
    ]


@given(entities, steps, st.booleans())
def test_the_order_of_the_entities_changes_only_the_order_of_the_answers(
    people: list[Entity], rows: list[Step], known_as_of: bool
) -> None:
    def joined(some: list[Entity]) -> pl.DataFrame:
        frame = entity_frame(some, known_as_of=known_as_of)
        return join_as_of(frame, step_frame(rows), keys=["a", "b"])

    assert joined(people[::-1]).equals(joined(people).reverse())


@given(st.lists(times, max_size=8), st.lists(st.tuples(times, times), max_size=12))
def test_without_keys_everyone_shares_one_history(
    at: list[int], rows: list[tuple[int, int]]
) -> None:
    history = [Step((0, ""), event, created, 0, "") for event, created in rows]
    people = [Entity((0, ""), t, 0) for t in at]
    joined = join_as_of(
        entity_frame(people, known_as_of=True).drop("a", "b"),
        step_frame(history).drop("a", "b"),
        keys=[],
    )
    expected = [seen_by(e, history, known=e.at, ttl=0) for e in people]
    assert joined.get_column("event_timestamp").to_physical().to_list() == [
        step.event if step else None for step in expected
    ]


def test_steps_without_a_created_column_count_as_created_at_their_event() -> None:
    people = entity_frame([Entity((1, "3"), 5, 0)], known_as_of=True)
    rows = step_frame([Step((1, "3"), 5, 9, 7, "q")]).drop("created_timestamp")
    assert join_as_of(people, rows, keys=["a", "b"]).get_column("x").to_list() == [7]


def test_a_step_without_an_event_time_is_never_seen() -> None:
    people = entity_frame([Entity((1, "3"), 5, 0)], known_as_of=True)
    rows = step_frame([Step((1, "3"), None, 1, 1, "p"), Step((1, "3"), 4, 9, 2, "q")])
    assert join_as_of(people, rows, keys=["a", "b"]).rows() == [(None, None, None)]


def test_a_step_without_a_created_time_ties_as_created_at_its_event() -> None:
    people = entity_frame([Entity((1, "3"), 5, 0)], known_as_of=False)
    rows = step_frame([Step((1, "3"), 4, None, 1, "p"), Step((1, "3"), 4, 2, 2, "q")])
    assert join_as_of(people, rows, keys=["a", "b"]).get_column("x").to_list() == [1]


def test_of_equal_steps_the_last_one_wins() -> None:
    people = entity_frame([Entity((1, "3"), 5, 0)], known_as_of=False)
    rows = step_frame([Step((1, "3"), 5, 5, x, "q") for x in (3, 1, 2)])
    assert join_as_of(people, rows, keys=["a", "b"]).get_column("x").to_list() == [2]


def test_knowing_before_t_is_refused() -> None:
    people = entity_frame([Entity((1, "3"), 5, -1)], known_as_of=True)
    with pytest.raises(EntityFrameError, match="before event_timestamp in 1 rows"):
        join_as_of(people, step_frame([]), keys=["a", "b"])


@pytest.mark.parametrize("column", ["event_timestamp", "known_as_of"])
def test_a_row_without_its_time_is_refused(column: str) -> None:
    people = entity_frame([Entity((1, "3"), 5, 0)], known_as_of=True)
    with pytest.raises(EntityFrameError, match=f"{column!r} .* has 1 nulls"):
        join_as_of(
            people.with_columns(pl.lit(None, dtype=TIME).alias(column)),
            step_frame([]),
            keys=["a", "b"],
        )
