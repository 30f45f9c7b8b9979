"""What a join should keep of types, keys, names and tables, odd ones too."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from feast import FeatureService
from feast.types import Array, Bool, Bytes, Float64, Int32, Int64, String, UnixTimestamp
from matrix_case import REFUSED, case, refused
from matrix_repository import Repository, Row, View, at

CARDS = View()
PAIRS = View("pairs", keys={"card": Int64, "shop": Int64})


@case(right=[1, 2])
def composite_keys(repository: Repository) -> object:
    """Keys (1, 23) and (12, 3), alike when written together, stay apart."""
    repository.declare(PAIRS, Row((1, 23), at(1), 1), Row((12, 3), at(1), 2))
    return repository.joined(PAIRS, ((1, 23), at(5)), ((12, 3), at(5)))


@case(right=[1, 2])
def composite_text_keys(repository: Repository) -> object:
    """So do ("1_", "2") and ("1", "_2"), whatever separator a store may use."""
    names = View("names", keys={"first": String, "last": String})
    repository.declare(names, Row(("1_", "2"), at(1), 1), Row(("1", "_2"), at(1), 2))
    return repository.joined(names, (("1_", "2"), at(5)), (("1", "_2"), at(5)))


@case(right=[1, 2, 3])
def extreme_keys(repository: Repository) -> object:
    """The smallest and the largest integer of 64 bits are keys like any other."""
    keys = (-(2**63), 2**63 - 1, 0)
    repository.declare(CARDS, *(Row(key, at(1), n) for n, key in enumerate(keys, 1)))
    return repository.joined(CARDS, *((key, at(5)) for key in keys))


@case(right=[10, 20])
def times_before_1970(repository: Repository) -> object:
    """Times may lie before 1970."""
    born = datetime(1960, 2, 29, tzinfo=UTC)
    repository.declare(CARDS, Row(1, born, 10), Row(1, born.replace(year=1964), 20))
    return repository.joined(CARDS, (1, born.replace(month=3)), (1, born.replace(year=1968)))


@case(right=[10, None])
def row_without_event_time(repository: Repository) -> object:
    """A row of the table without an event time is never seen."""
    nobody_knows_when: Any = None
    unknown = [Row(key, nobody_knows_when, 7, at(1)) for key in (1, 2)]
    repository.declare(CARDS, Row(1, at(1), 10), *unknown)
    return repository.joined(CARDS, (1, at(5)), (2, at(5)))


@case(right=[at(3, us=5)])
def feature_that_is_a_time(repository: Repository) -> object:
    """A feature may be a time, which stays in UTC and exact."""
    last = View("last", features={"last_seen": UnixTimestamp})
    repository.declare(last, Row(1, at(4), at(3, us=5)))
    return repository.joined(last, (1, at(5)))


@case(right=[[1, 2], None])
def feature_that_is_a_list(repository: Repository) -> object:
    """A feature may be a list."""
    lists = View("lists", features={"recent": Array(Int64)})
    repository.declare(lists, Row(1, at(1), [1, 2]))
    return repository.joined(lists, (1, at(5)), (2, at(5)))


@case(right=[10, 20])
def view_without_entities(repository: Repository) -> object:
    """A view may have no entity: what holds for all."""
    rates = View("rates", keys={})
    repository.declare(rates, Row((), at(1), 10), Row((), at(2), 20))
    return repository.joined(rates, ((), at(1.5)), ((), at(5)))


@case(right=["int64"])
def null_integers(repository: Repository) -> object:
    """A column of integers stays one when a row has no value."""
    repository.declare(CARDS, Row(1, at(1), 10))
    return repository.joined_type(CARDS, (1, at(5)), (2, at(5)))


@case(right=["int64"])
def integers_that_pandas_wrote(repository: Repository) -> object:
    """A column declared as integers is one, though pandas wrote floats because of a null."""
    repository.declare(CARDS)
    repository.write(
        replace(CARDS, features={"n": Float64}), Row(1, at(1), 70), Row(2, at(1), None)
    )
    return repository.joined_type(CARDS, (1, at(5)), (2, at(5)))


@case(right=[2**53 + 1, None])
def big_integers(repository: Repository) -> object:
    """An integer that no float holds comes back exactly, beside a null."""
    repository.declare(CARDS, Row(1, at(1), 2**53 + 1))
    return repository.joined(CARDS, (1, at(5)), (2, at(5)))


@case(right=["bool"])
def null_booleans(repository: Repository) -> object:
    """A column of booleans stays one when a row has no value."""
    flags = View("flags", features={"is_open": Bool})
    repository.declare(flags, Row(1, at(1), True))
    return repository.joined_type(flags, (1, at(5)), (2, at(5)))


@case(right=[10, 20])
def nanosecond_table(repository: Repository) -> object:
    """A table with times in nanoseconds, as pandas writes them, is read."""
    nanoseconds = replace(CARDS, times=pa.timestamp("ns", "UTC"))
    repository.declare(nanoseconds, Row(1, at(1), 10), Row(1, at(2), 20))
    return repository.joined(nanoseconds, (1, at(1)), (1, at(2)))


@case(right=[None, None])
def empty_table(repository: Repository) -> object:
    """A table without rows gives nulls."""
    repository.declare(CARDS)
    return repository.joined(CARDS, (1, at(5)), (2, at(5)))


@case(right=["card", "event_timestamp", "n", "row"])
def empty_entity_frame(repository: Repository) -> object:
    """An entity frame without rows gives no rows, with every column."""
    repository.declare(CARDS, Row(1, at(1), 10))
    frame = repository.entities(CARDS, (1, at(5))).head(0)
    out = repository.store.get_historical_features(frame, CARDS.refs()).to_df()
    return sorted(out.columns) if out.empty else f"{len(out)} rows for 0"


@case(right=REFUSED)
def missing_table(repository: Repository) -> object:
    """A table whose file is gone is an error, not nulls."""
    repository.declare(CARDS, Row(1, at(1), 10))
    repository.path(CARDS).unlink()
    return refused(lambda: repository.joined(CARDS, (1, at(5))))


@case(right=REFUSED)
def text_for_integers(repository: Repository) -> object:
    """Text where the key is an integer is an error, not a key that is not found."""
    repository.declare(CARDS, Row(1, at(1), 10))
    frame = repository.entities(CARDS, ("one", at(5)), ("two", at(5)))
    return refused(lambda: repository.joined(CARDS, entity_df=frame))


@case(right=REFUSED)
def frame_without_the_key(repository: Repository) -> object:
    """An entity frame that lacks a join key is an error."""
    repository.declare(PAIRS, Row((1, 23), at(1), 1))
    frame = repository.entities(PAIRS, ((1, 23), at(5))).drop(columns="shop")
    return refused(lambda: repository.joined(PAIRS, entity_df=frame))


@case(right=[10, 20])
def folder_of_files(repository: Repository) -> object:
    """A folder of parquet files is one table."""
    repository.declare(CARDS, Row(1, at(1), 10))
    first = repository.path(CARDS).read_bytes()
    repository.write(CARDS, Row(2, at(1), 20))
    second = repository.path(CARDS).read_bytes()
    repository.path(CARDS).unlink()
    repository.path(CARDS).mkdir()
    for name, content in (("a.parquet", first), ("b.parquet", second)):
        (repository.path(CARDS) / name).write_bytes(content)
    return repository.joined(CARDS, (1, at(5)), (2, at(5)))


@case(right=[10, None])
def string_keys(repository: Repository) -> object:
    """Keys may be strings; "1" and "01" stay apart."""
    names = View("names", keys={"name": String})
    repository.declare(names, Row("1", at(1), 10))
    return repository.joined(names, ("1", at(5)), ("01", at(5)))


@case(right=[10, 20])
def categorical_keys(repository: Repository) -> object:
    """An entity frame may hold strings as categories."""
    names = View("names", keys={"name": String})
    repository.declare(names, Row("a", at(1), 10), Row("b", at(1), 20))
    frame = repository.entities(names, ("a", at(5)), ("b", at(5))).astype({"name": "category"})
    return repository.joined(names, entity_df=frame)


@case(right=[10, None])
def nullable_keys(repository: Repository) -> object:
    """An entity frame may hold integers in pandas' type that has nulls."""
    repository.declare(CARDS, Row(1, at(1), 10))
    frame = repository.entities(CARDS, (1, at(5)), (None, at(5))).astype({"card": "Int64"})
    return repository.joined(CARDS, entity_df=frame)


@case(right=[10, None])
def int32_keys(repository: Repository) -> object:
    """Keys of 32 bits are found by an entity frame of 64."""
    small = View("small", keys={"shop": Int32})
    repository.declare(small, Row(-5, at(1), 10))
    return repository.joined(small, (-5, at(5)), (5, at(5)))


@case(right=[10, None])
def bytes_keys(repository: Repository) -> object:
    """Keys may be bytes, a zero byte among them."""
    hashes = View("hashes", keys={"hash": Bytes})
    repository.declare(hashes, Row(b"\x00\xff", at(1), 10))
    return repository.joined(hashes, (b"\x00\xff", at(5)), (b"\x00", at(5)))


@case(right=[None, 10])
def null_keys(repository: Repository) -> object:
    """A null key matches nothing, not even a null, and its row stays."""
    names = View("names", keys={"name": String})
    repository.declare(names, Row(None, at(1), 7), Row("a", at(1), 10))
    return repository.joined(names, (None, at(5)), ("a", at(5)))


@case(right=[10, 20])
def full_names(repository: Repository) -> object:
    """With full names two views may have a feature of one name."""
    shops = replace(CARDS, name="shops")
    declared = [repository.declare(CARDS, Row(1, at(1), 10))]
    declared.append(repository.declare(shops, Row(1, at(1), 20)))
    frame = repository.entities(CARDS, (1, at(5)))
    refs = [*CARDS.refs(), *shops.refs()]
    job = repository.store.get_historical_features(frame, refs, full_feature_names=True)
    (row,) = job.to_arrow().to_pylist()
    return [row["cards__n"], row["shops__n"]]


@case(right=[10])
def renamed_join_key(repository: Repository) -> object:
    """The entities may call the join key otherwise, as two sides of a payment do."""
    cards = repository.declare(CARDS, Row(1, at(1), 10), Row(2, at(1), 20))
    payers = FeatureService(name="payers", features=[cards.with_join_key_map({"card": "payer"})])
    repository.store.apply([payers])
    frame = repository.entities(CARDS, (1, at(5))).rename(columns={"card": "payer"})
    (row,) = repository.store.get_historical_features(frame, payers).to_arrow().to_pylist()
    return [row["n"]]


@case(right=[10])
def feature_name_that_ends_in_y(repository: Repository) -> object:
    """A feature may be called as a suffix of somebody's joins."""
    prices = View("prices", features={"price_y": Int64})
    repository.declare(prices, Row(1, at(1), 10))
    return repository.joined(prices, (1, at(5)))


@case(right=[10])
def field_mapping(repository: Repository) -> object:
    """A column may have another name in the file than in the view."""
    mapped = View("mapped", mapping={"count_of_all": "n"})
    repository.declare(mapped, Row(1, at(1), 10))
    return repository.joined(mapped, (1, at(5)))


@case(right=[10])
def table_without_created_times(repository: Repository) -> object:
    """A table need not have created times."""
    plain = View("plain", created=None)
    repository.declare(plain, Row(1, at(1), 10))
    return repository.joined(plain, (1, at(5)))


@case(right=["label", 10])
def label_named_like_a_column(repository: Repository) -> object:
    """An entity column may be called as a column of the table that was not asked for."""
    wide = View("wide", features={"n": Int64, "amount": Float64})
    repository.declare(wide, Row(1, at(1), (10, 0.5)))
    frame = repository.entities(wide, (1, at(5))).assign(amount="label")
    (row,) = repository.store.get_historical_features(frame, ["wide:n"]).to_arrow().to_pylist()
    return [row["amount"], row["n"]]
