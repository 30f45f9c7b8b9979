"""What a join of entities with features at their times should keep."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
from feast.types import Int64
from matrix_case import ZONES, case
from matrix_repository import Repository, Row, View, at

CARDS = View()
DAY = View(ttl=timedelta(days=1))
NAIVE = View(times=pa.timestamp("us"))


@case(right=[10, 10, None])
def duplicate_entity_rows(repository: Repository) -> object:
    """Entity rows of equal key and time are as many rows out."""
    repository.declare(CARDS, Row(1, at(1), 10))
    return repository.joined(CARDS, (1, at(5)), (1, at(5)), (2, at(5)))


@case(right="the order asked for")
def order_of_rows(repository: Repository) -> object:
    """Rows come back in the order in which they were asked for."""
    repository.declare(CARDS, *(Row(key, at(key), key) for key in range(1, 50)))
    asked = [(key * 37 % 60, at(key * 23 % 60)) for key in range(300_000)]
    frame = repository.entities(CARDS, *asked)
    # A store whose threads race may keep the order by chance on a busy machine: not three times.
    for _ in range(3):
        joined = repository.store.get_historical_features(frame, CARDS.refs()).to_df()
        if not joined["row"].is_monotonic_increasing:
            return "another order"
    return "the order asked for"


@case(right=[None, 20, None])
def expired_feature(repository: Repository) -> object:
    """A row whose only feature has expired stays, with a null."""
    repository.declare(DAY, Row(1, at(1), 10), Row(2, at(60), 20))
    return repository.joined(DAY, (1, at(61)), (2, at(61)), (3, at(61)))


@case(right=[10])
def age_equal_to_the_ttl(repository: Repository) -> object:
    """A value whose age equals the TTL is valid."""
    repository.declare(DAY, Row(1, at(1), 10))
    return repository.joined(DAY, (1, at(25)))


@case(right=[None, 20])
def age_a_microsecond_more(repository: Repository) -> object:
    """A microsecond later it has expired."""
    repository.declare(DAY, Row(1, at(1), 10), Row(2, at(1, us=1), 20))
    return repository.joined(DAY, (1, at(25, us=1)), (2, at(25, us=1)))


@case(right=[10])
def no_ttl(repository: Repository) -> object:
    """With a TTL of zero a value never expires."""
    repository.declare(CARDS, Row(1, at(0), 10))
    return repository.joined(CARDS, (1, at(24 * 2000)))


@case(right=[[10, 1], [10, None], [None, None]])
def two_views_of_different_ttl(repository: Repository) -> object:
    """Each view expires by its own TTL, and neither takes rows from the other."""
    hours = View("hours", features={"h": Int64}, ttl=timedelta(hours=1))
    repository.declare(DAY, Row(1, at(1), 10))
    repository.declare(hours, Row(1, at(1), 1))
    frame = repository.entities(DAY, (1, at(2)), (1, at(3)), (1, at(26)))
    job = repository.store.get_historical_features(frame, [*DAY.refs(), *hours.refs()])
    rows = sorted(job.to_arrow().to_pylist(), key=lambda row: row["row"])
    return [[row["n"], row["h"]] for row in rows]


@case(right=[5, 10, 10, 20])
def value_at_t(repository: Repository) -> object:
    """A value counts from its own microsecond on, neither earlier nor later."""
    repository.declare(CARDS, Row(1, at(0), 5), Row(1, at(1), 10), Row(1, at(1, us=2), 20))
    asked = [(1, at(1, us=us)) for us in (-1, 0, 1, 2)]
    return repository.joined(CARDS, *asked)


@case(right=[70])
def tie_on_event_time(repository: Repository) -> object:
    """Of two rows of one event time the one created later counts, wherever it stands."""
    repository.declare(CARDS, Row(1, at(1), 70, at(3)), Row(1, at(1), 7, at(2)))
    return repository.joined(CARDS, (1, at(5)))


@case(right=[20])
def late_row_of_the_past(repository: Repository) -> object:
    """A row created later does not displace one of a newer event time."""
    repository.declare(CARDS, Row(1, at(2), 20, at(2)), Row(1, at(1), 10, at(3)))
    return repository.joined(CARDS, (1, at(5)))


@case(right=[None, 7, 70])
def created_after_t(repository: Repository) -> object:
    """When asked to, a join leaves out what was created after T; the row stays."""
    repository.declare(CARDS, Row(1, at(1), 7, at(2)), Row(1, at(1), 70, at(9)))
    asked = [(1, at(1.5)), (1, at(5)), (1, at(9))]
    return repository.joined(CARDS, *asked, filter_by_created_timestamp=True)


@case(right=[None, 10])
def null_feature(repository: Repository) -> object:
    """A null that is newer than a value is the answer, not the value before it."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(1, at(2), None), Row(2, at(1), 10))
    return repository.joined(CARDS, (1, at(5)), (2, at(5)))


@case(right=[10, 10, 20], zones=ZONES)
def time_zone_of_the_process(repository: Repository) -> object:
    """The same rows whatever time zone the process has."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(1, at(2), 20))
    return repository.joined(CARDS, (1, at(1)), (1, at(1.9)), (1, at(2)))


@case(right=[10, 10, 20], zones=ZONES)
def naive_entity_times(repository: Repository) -> object:
    """An entity time without a zone is UTC, whatever time zone the process has."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(1, at(2), 20))
    frame = repository.entities(CARDS, (1, at(1)), (1, at(1.9)), (1, at(2)))
    frame["event_timestamp"] = frame["event_timestamp"].dt.tz_localize(None)
    return repository.joined(CARDS, entity_df=frame)


@case(right=[10, 10, 20], zones=ZONES)
def naive_table_times(repository: Repository) -> object:
    """A table's time without a zone is UTC, whatever time zone the process has."""
    repository.declare(NAIVE, Row(1, at(1), 10), Row(1, at(2), 20))
    return repository.joined(NAIVE, (1, at(1)), (1, at(1.9)), (1, at(2)))


@case(right=[10, 10, 20])
def entity_times_of_another_zone(repository: Repository) -> object:
    """Entity times in New York's zone mean the instants that they name."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(1, at(2), 20))
    frame = repository.entities(CARDS, (1, at(1)), (1, at(1.9)), (1, at(2)))
    frame["event_timestamp"] = frame["event_timestamp"].dt.tz_convert("America/New_York")
    return repository.joined(CARDS, entity_df=frame)


@case(right=[10, 10, 20])
def entity_times_of_two_zones(repository: Repository) -> object:
    """Entity times may be Python's own, each in a zone of its own."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(1, at(2), 20))
    times = (at(1), at(1.9), at(2))
    frame = repository.entities(CARDS, *((1, time) for time in times))
    local = [t.astimezone(ZoneInfo(zone)) for t, zone in zip(times, ZONES, strict=True)]
    frame["event_timestamp"] = pd.Series(local, dtype=object)
    return repository.joined(CARDS, entity_df=frame)


@case(right=[10, None, 20])
def index_of_the_frame(repository: Repository) -> object:
    """The index of a pandas frame means nothing, not even when it repeats."""
    repository.declare(CARDS, Row(1, at(1), 10), Row(2, at(2), 20))
    frame = repository.entities(CARDS, (1, at(5)), (3, at(5)), (2, at(5)))
    frame.index = pd.Index([7, 7, 0])
    return repository.joined(CARDS, entity_df=frame)


@case(right=True)
def callers_frame(repository: Repository) -> object:
    """The caller's own entity frame stays as it was."""
    repository.declare(CARDS, Row(1, at(1), 10))
    frame = repository.entities(CARDS, (2, at(5)), (1, at(4)))
    before = frame.copy(deep=True)
    repository.joined(CARDS, entity_df=frame)
    return frame.equals(before)
