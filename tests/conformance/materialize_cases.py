"""What `feast materialize` should bring from the tables to the online store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from feast.types import Bytes, Int32, Int64, String
from matrix_case import REFUSED, ZONES, case, refused
from matrix_repository import Repository, Row, View, at

CARDS = View()
PAIRS = View("pairs", keys={"card": Int64, "shop": Int64})
HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)


def now() -> datetime:
    """The machine's time: incremental runs start and end by it."""
    return datetime.now(UTC)


@case(right=[20, 5, "NOT_FOUND"])
def newest_of_each_key(repository: Repository) -> object:
    """The newest row of each key is online; a key without rows is not."""
    repository.declare(CARDS, Row(1, at(2), 20), Row(1, at(1), 10), Row(2, at(1), 5))
    repository.materialize(at(0), at(9))
    return repository.online(CARDS, 1, 2, 3)


@case(right=[10, 20])
def both_ends_count(repository: Repository) -> object:
    """Rows at START and at END are written, rows a microsecond outside are not."""
    rows = [Row(1, at(1), 10), Row(1, at(9, us=1), 11), Row(2, at(9), 20), Row(2, at(1, us=-1), 21)]
    repository.declare(CARDS, *rows)
    repository.materialize(at(1), at(9))
    return repository.online(CARDS, 1, 2)


@case(right=[70])
def tie_on_event_time(repository: Repository) -> object:
    """Of two rows of one event time the one created later is online."""
    repository.declare(CARDS, Row(1, at(1), 70, at(3)), Row(1, at(1), 7, at(2)))
    repository.materialize(at(0), at(9))
    return repository.online(CARDS, 1)


@case(right=[None, 10])
def null_feature(repository: Repository) -> object:
    """A null that is the newest value is online as a null."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(1, at(2), None), Row(2, at(1), 10))
    repository.materialize(at(0), at(9))
    return repository.online(CARDS, 1, 2)


@case(right=[2**53 + 1, None])
def big_integers(repository: Repository) -> object:
    """An integer that no float holds is online exactly, though another row has a null."""
    repository.declare(CARDS, Row(1, at(1), 2**53 + 1), Row(2, at(1), None))
    repository.materialize(at(0), at(9))
    return repository.online(CARDS, 1, 2)


@case(right=[1, 2])
def composite_keys(repository: Repository) -> object:
    """Keys (1, 23) and (12, 3), alike when written together, stay apart."""
    repository.declare(PAIRS, Row((1, 23), at(1), 1), Row((12, 3), at(1), 2))
    repository.materialize(at(0), at(9))
    return repository.online(PAIRS, (1, 23), (12, 3))


@case(right=[2**53 + 1])
def null_keys(repository: Repository) -> object:
    """A row without a key is left out, and does no harm to the others."""
    repository.declare(CARDS, Row(None, at(1), 7), Row(2**53 + 1, at(1), 2**53 + 1))
    repository.materialize(at(0), at(9))
    return repository.online(CARDS, 2**53 + 1)


@case(right=[20])
def older_run_afterwards(repository: Repository) -> object:
    """A run over an older interval puts back nothing."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(1, at(8), 20))
    repository.materialize(at(0), at(9))
    repository.materialize(at(0), at(5))
    return repository.online(CARDS, 1)


@case(right=[10])
def string_keys(repository: Repository) -> object:
    """Keys may be strings."""
    names = View("names", keys={"name": String})
    repository.declare(names, Row("01", at(1), 10))
    repository.materialize(at(0), at(9))
    return repository.online(names, "01")


@case(right=[10])
def int32_keys(repository: Repository) -> object:
    """Keys may be integers of 32 bits, asked for by plain numbers."""
    small = View("small", keys={"shop": Int32})
    repository.declare(small, Row(-5, at(1), 10))
    repository.materialize(at(0), at(9))
    return repository.online(small, -5)


@case(right=[10])
def bytes_keys(repository: Repository) -> object:
    """Keys may be bytes."""
    hashes = View("hashes", keys={"hash": Bytes})
    repository.declare(hashes, Row(b"\x00\xff", at(1), 10))
    repository.materialize(at(0), at(9))
    return repository.online(hashes, b"\x00\xff")


@case(right=[10, 20])
def nanosecond_table(repository: Repository) -> object:
    """A table with times in nanoseconds, as pandas writes them, is read."""
    nanoseconds = replace(CARDS, times=pa.timestamp("ns", "UTC"))
    repository.declare(nanoseconds, Row(1, at(1), 10), Row(2, at(2), 20))
    repository.materialize(at(0), at(9))
    return repository.online(nanoseconds, 1, 2)


@case(right=[10, "NOT_FOUND", 20], zones=ZONES)
def time_zone_of_the_process(repository: Repository) -> object:
    """START and END are UTC whatever time zone the process has."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(2, at(4.5), 15), Row(3, at(4), 20))
    repository.materialize(at(1), at(4))
    return repository.online(CARDS, 1, 2, 3)


@case(right=[10, "NOT_FOUND", 20], zones=ZONES)
def naive_table_times(repository: Repository) -> object:
    """A table's time without a zone is UTC, whatever time zone the process has."""
    naive = replace(CARDS, times=pa.timestamp("us"))
    repository.declare(naive, Row(1, at(1), 10), Row(2, at(4.5), 15), Row(3, at(4), 20))
    repository.materialize(at(1), at(4))
    return repository.online(naive, 1, 2, 3)


@case(right=REFUSED)
def missing_table(repository: Repository) -> object:
    """A table whose file is gone is an error, not a run that wrote nothing."""
    repository.declare(CARDS, Row(1, at(1), 10))
    repository.path(CARDS).unlink()
    return refused(lambda: repository.materialize(at(0), at(9)))


@case(right=REFUSED)
def missing_folder(repository: Repository) -> object:
    """A table whose folder has no files is an error, not a run that wrote nothing."""
    repository.declare(CARDS, Row(1, at(1), 10))
    repository.path(CARDS).unlink()
    repository.path(CARDS).mkdir()
    return refused(lambda: repository.materialize(at(0), at(9)))


@case(right=[10])
def no_ttl_incremental(repository: Repository) -> object:
    """With a TTL of zero the first incremental run brings what is a month old."""
    repository.declare(CARDS, Row(1, now() - 30 * 24 * HOUR, 10))
    repository.store.materialize_incremental(now())
    return repository.online(CARDS, 1)


@case(right=[10])
def step_of_two_years_ago(repository: Repository) -> object:
    """In a view tagged as a step function the first incremental run brings the oldest step."""
    steps = View("steps", tags={"step_function": "true"})
    repository.declare(steps, Row(1, now() - 2 * YEAR, 10))
    repository.store.materialize_incremental(now())
    return repository.online(steps, 1)


@case(right=[10, 20])
def late_row(repository: Repository) -> object:
    """A row that arrives after the run that covers its event time is online after the next."""
    first = Row(1, now() - 9 * HOUR, 10)
    repository.declare(CARDS, first)
    repository.store.materialize_incremental(now() - HOUR)
    repository.write(CARDS, first, Row(2, now() - 5 * HOUR, 20, now()))
    repository.store.materialize_incremental(now())
    return repository.online(CARDS, 1, 2)


@case(right=[10, 20])
def end_in_the_future(repository: Repository) -> object:
    """A run whose END lies in the future does not hide what happens until then."""
    first = Row(1, now() - 9 * HOUR, 10)
    repository.declare(CARDS, first)
    repository.store.materialize_incremental(now() + YEAR)
    repository.write(CARDS, first, Row(2, now(), 20))
    repository.store.materialize_incremental(now() + YEAR + HOUR)
    return repository.online(CARDS, 1, 2)


@case(right=True)
def applied_again(repository: Repository) -> object:
    """Another `feast apply` forgets no run: the next incremental one goes on from there."""
    repository.declare(CARDS, Row(1, now() - 9 * HOUR, 10))
    end = now() - HOUR
    repository.store.materialize_incremental(end)
    repository.apply(replace(CARDS, tags={"owner": "risk"}))
    return bool(repository.store.get_feature_view("cards").most_recent_end_time == end)


@case(right=[70, 70])
def correction(repository: Repository) -> object:
    """A corrected row, equal in event time, is the answer online and offline alike."""
    repository.declare(CARDS, Row(1, at(1), 7, at(1)))
    repository.materialize(at(0), at(5))
    repository.write(CARDS, Row(1, at(1), 7, at(1)), Row(1, at(1), 70, at(6)))
    repository.materialize(at(0), at(9))
    joined = repository.joined(CARDS, (1, at(9)))
    return [*repository.online(CARDS, 1), *(joined if isinstance(joined, list) else [joined])]
