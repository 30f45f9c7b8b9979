"""What a store should keep of the rows that are written to it, as Feast's SDK reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient
from feast.feature_server import get_app
from feast.types import (
    Array,
    Bool,
    Bytes,
    FeastType,
    Float32,
    Float64,
    Int32,
    Int64,
    Map,
    String,
)
from matrix_case import ZONES, case
from matrix_repository import Repository, Row, View, answers, at, entity_rows

CARDS = View()
PAIRS = View("pairs", keys={"card": Int64, "shop": Int64})


@case(right=[10, "NOT_FOUND", 20, 10])
def absent_entity(repository: Repository) -> object:
    """An entity that was never written is NOT_FOUND, the others stay in their order."""
    repository.declare(CARDS)
    repository.push(CARDS, Row(1, at(1), 10), Row(3, at(1), 20))
    return repository.online(CARDS, 1, 2, 3, 1)


@case(right=["NOT_FOUND"])
def absent_from_this_view(repository: Repository) -> object:
    """An entity that only another view of the same keys has is NOT_FOUND."""
    shops = replace(CARDS, name="shops")
    repository.declare(CARDS)
    repository.declare(shops)
    repository.push(shops, Row(1, at(1), 10))
    return repository.online(CARDS, 1)


@case(right=[None])
def null_feature(repository: Repository) -> object:
    """A null is a null that is there, not an absence."""
    wide = View("wide", features={"n": Int64, "m": Int64})
    repository.declare(wide)
    repository.push(wide, Row(1, at(1), (10, None)))
    return repository.online(wide, 1)


@case(right=["OUTSIDE_MAX_AGE", 20])
def older_than_the_ttl(repository: Repository) -> object:
    """A value older than the view's TTL is OUTSIDE_MAX_AGE."""
    day = View(ttl=timedelta(days=1))
    repository.declare(day)
    now = datetime.now(UTC)
    repository.push(day, Row(1, now - timedelta(days=10), 10), Row(2, now, 20))
    return repository.online(day, 1, 2)


@case(right=[at(1, us=123456).isoformat()], zones=ZONES)
def event_time(repository: Repository) -> object:
    """The event time that comes with a value is exact, in every time zone of the process."""
    repository.declare(CARDS)
    repository.push(CARDS, Row(1, at(1, us=123456), 10))
    response = repository.store.get_online_features(CARDS.refs(), entity_rows(CARDS, [1])).proto
    (time,) = response.results[-1].event_timestamps
    return [time.ToDatetime(UTC).isoformat()]


@case(right=[70])
def correction(repository: Repository) -> object:
    """A row of equal event time that was created later replaces the one before."""
    return _read_after(repository, Row(1, at(1), 7, at(1)), Row(1, at(1), 70, at(2)))


@case(right=[70])
def correction_that_comes_first(repository: Repository) -> object:
    """A row of equal event time that was created earlier replaces nothing."""
    return _read_after(repository, Row(1, at(1), 70, at(2)), Row(1, at(1), 7, at(1)))


@case(right=[20])
def late_row(repository: Repository) -> object:
    """A row of an older event time replaces nothing."""
    return _read_after(repository, Row(1, at(2), 20), Row(1, at(1), 10))


@case(right=[20])
def late_row_in_the_same_write(repository: Repository) -> object:
    """Of two rows of a key in one write the newer counts, wherever it stands."""
    repository.declare(CARDS)
    repository.push(CARDS, Row(1, at(2), 20), Row(1, at(1), 10))
    return repository.online(CARDS, 1)


@case(right=[20])
def microseconds_apart(repository: Repository) -> object:
    """A row a microsecond newer replaces the one before."""
    return _read_after(repository, Row(1, at(1), 10), Row(1, at(1, us=1), 20))


@case(right=[1, 2])
def composite_keys(repository: Repository) -> object:
    """Keys (1, 23) and (12, 3), alike when written together, stay apart."""
    repository.declare(PAIRS)
    repository.push(PAIRS, Row((1, 23), at(1), 1), Row((12, 3), at(1), 2))
    return repository.online(PAIRS, (1, 23), (12, 3))


@case(right=[1, 2, 3])
def extreme_keys(repository: Repository) -> object:
    """The smallest and the largest integer of 64 bits are keys like any other."""
    repository.declare(CARDS)
    keys = (-(2**63), 2**63 - 1, 0)
    repository.push(CARDS, *(Row(key, at(1), n) for n, key in enumerate(keys, 1)))
    return repository.online(CARDS, *keys)


@case(right=[20])
def times_before_1970(repository: Repository) -> object:
    """Event times may lie before 1970, and the newer one counts there too."""
    born = datetime(1960, 2, 29, tzinfo=UTC)
    return _read_after(repository, Row(1, born, 10), Row(1, born.replace(year=1964), 20))


def _read_after(repository: Repository, *rows: Row) -> object:
    """What card 1 has once the rows were written, each by a write of its own."""
    repository.declare(CARDS)
    for row in rows:
        repository.push(CARDS, row)
    return repository.online(CARDS, 1)


@case(right=[10, 20])
def string_keys(repository: Repository) -> object:
    """Keys may be strings; "1" and "01" stay apart."""
    return _read_by(repository, String, "1", "01")


@case(right=[10, 20])
def int32_keys(repository: Repository) -> object:
    """Keys may be integers of 32 bits, asked for by plain numbers."""
    return _read_by(repository, Int32, -5, 5)


@case(right=[10, 20])
def int32_keys_served(repository: Repository) -> object:
    """`feast serve` finds keys of 32 bits by the plain numbers of its JSON."""
    small = View("small", keys={"shop": Int32})
    repository.declare(small)
    repository.push(small, Row(-5, at(1), 10), Row(5, at(1), 20))
    ask = {"features": small.refs(), "entities": {"shop": [-5, 5]}}
    with TestClient(get_app(repository.store)) as client:
        response = client.post("/get-online-features", json=ask).json()
    return response["results"][-1]["values"]


@case(right=[10, 20])
def bytes_keys(repository: Repository) -> object:
    """Keys may be bytes, a zero byte among them."""
    return _read_by(repository, Bytes, b"\x00\xff", b"\x00")


def _read_by(repository: Repository, kind: FeastType, first: object, second: object) -> object:
    """What two keys of that type have, the first of which got 10 and the second 20."""
    view = View("keyed", keys={"key": kind})
    repository.declare(view)
    repository.push(view, Row(first, at(1), 10), Row(second, at(1), 20))
    return repository.online(view, first, second)


Values = Sequence[tuple[FeastType, object]]
_SCALARS: Values = [
    (Int32, -1),
    (Int64, 2**53 + 1),
    (Float32, 0.5),
    (Float64, 0.1),
    (String, "a"),
    (Bytes, b"\xff"),
    (Bool, True),
]
_ZEROS: Values = [(Int64, 0), (Float64, 0.0), (String, ""), (Bool, False)]
_NESTED: Values = [(Array(Int64), [1, 2]), (Map, {"a": "b"})]


@case(right=[value for _, value in _SCALARS])
def scalars(repository: Repository) -> object:
    """Numbers, strings, bytes and booleans come back exactly."""
    return _written_and_read(repository, _SCALARS)


@case(right=[value for _, value in _ZEROS])
def zero_and_empty(repository: Repository) -> object:
    """Zero, the empty string and false are values, not nulls."""
    return _written_and_read(repository, _ZEROS)


@case(right=[value for _, value in _NESTED])
def lists_and_maps(repository: Repository) -> object:
    """Lists and maps come back as they were written."""
    return _written_and_read(repository, _NESTED)


def _written_and_read(repository: Repository, values: Values) -> object:
    found = []
    for n, (kind, value) in enumerate(values):
        view = View(f"values_{n}", features={"value": kind})
        repository.declare(view)
        repository.push(view, Row(1, at(1), value))
        found += repository.online(view, 1)
    return found


@case(right=["NOT_FOUND"])
def feature_added_since(repository: Repository) -> object:
    """A feature that the view got after the row was written is NOT_FOUND."""
    repository.declare(CARDS)
    repository.push(CARDS, Row(1, at(1), 10))
    wider = replace(CARDS, features={"n": Int64, "added": Int64})
    repository.declare(wider)
    return repository.online(wider, 1)


@case(right=["gone", 20])
def view_deleted(repository: Repository) -> object:
    """A deleted view takes its own rows along, not those of a view of the same keys."""
    shops = replace(CARDS, name="shops")
    cards = repository.declare(CARDS)
    repository.declare(shops)
    repository.push(CARDS, Row(1, at(1), 10))
    repository.push(shops, Row(1, at(1), 20))
    repository.store.apply([], objects_to_delete=[cards], partial=False)
    repository.declare(CARDS)
    return [*_gone(repository.online(CARDS, 1)), *repository.online(shops, 1)]


@case(right=["gone", 20])
def project_torn_down(repository: Repository) -> object:
    """Tearing down project `fraud` leaves project `antifraud` in the same store alone."""
    other = repository.beside("antifraud")
    for project, value in ((repository, 10), (other, 20)):
        project.declare(CARDS)
        project.push(CARDS, Row(1, at(1), value))
    repository.store.teardown()
    again = repository.beside("fraud")
    again.apply(CARDS)
    return [*_gone(again.online(CARDS, 1)), *other.online(CARDS, 1)]


def _gone(read: list[object]) -> list[object]:
    """The read with what is not there as `gone`: how a store says so is another case."""
    return ["gone" if value in (None, "NOT_FOUND") else value for value in read]


@case(right=[10, 20])
def full_names(repository: Repository) -> object:
    """With full names two views may have a feature of one name."""
    shops = replace(CARDS, name="shops")
    for view, value in ((CARDS, 10), (shops, 20)):
        repository.declare(view)
        repository.push(view, Row(1, at(1), value))
    read = repository.store.get_online_features(
        [*CARDS.refs(), *shops.refs()], entity_rows(CARDS, [1]), full_feature_names=True
    ).to_dict()
    return [*read["cards__n"], *read["shops__n"]]


@case(right=[10, 10])
def two_event_loops(repository: Repository) -> object:
    """Asynchronous reads work from one event loop after another."""
    repository.declare(CARDS)
    repository.push(CARDS, Row(1, at(1), 10))

    async def read() -> list[object]:
        rows = entity_rows(CARDS, [1])
        response = await repository.store.get_online_features_async(CARDS.refs(), rows)
        return answers(response.proto, "n")

    return [*asyncio.run(read()), *asyncio.run(read())]
