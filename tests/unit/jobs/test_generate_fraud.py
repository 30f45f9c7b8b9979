"""The rows of the handbook's generative model: columns, order, cities, seeds and options."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal
from simulations import few, sizes

from lockstep.jobs.generate import fraud
from lockstep.jobs.generate.errors import GenerateError
from lockstep.jobs.generate.fraud import Options, generate, generate_frames, simulate

HANDBOOK_COLUMNS = {
    "TRANSACTION_ID": pl.Int64(),
    "TX_DATETIME": pl.Datetime("us"),
    "CUSTOMER_ID": pl.Int64(),
    "TERMINAL_ID": pl.Int64(),
    "TX_AMOUNT": pl.Float64(),
    "TX_TIME_SECONDS": pl.Int64(),
    "TX_TIME_DAYS": pl.Int64(),
    "TX_FRAUD": pl.Int64(),
    "TX_FRAUD_SCENARIO": pl.Int64(),
}


@few
@given(sizes)
def test_columns_are_the_handbooks(options: Options) -> None:
    assert generate(options).schema == pl.Schema(HANDBOOK_COLUMNS)


@few
@given(sizes)
def test_rows_are_numbered_from_zero_in_order_of_time(options: Options) -> None:
    rows = generate(options)
    assert rows["TRANSACTION_ID"].to_list() == list(range(len(rows)))
    assert rows["TX_DATETIME"].is_sorted()


@few
@given(sizes)
def test_the_three_times_say_the_same(options: Options) -> None:
    rows = generate(options)
    start = datetime.combine(options.start, datetime.min.time())
    since = (rows["TX_DATETIME"] - start).dt.total_seconds()
    assert since.to_list() == rows["TX_TIME_SECONDS"].to_list()
    assert (since // 86_400).to_list() == rows["TX_TIME_DAYS"].to_list()
    assert (since % 86_400 > 0).all()
    assert (rows["TX_TIME_DAYS"] < options.days).all()


@few
@given(sizes)
def test_amounts_are_the_floats_nearest_to_whole_cents(options: Options) -> None:
    amounts = generate(options)["TX_AMOUNT"].to_list()
    assert amounts == [float(f"{amount:.2f}") for amount in amounts]


@few
@given(sizes)
def test_fraud_is_having_a_scenario(options: Options) -> None:
    rows = generate(options)
    assert (rows["TX_FRAUD"] == (rows["TX_FRAUD_SCENARIO"] > 0).cast(pl.Int64)).all()


def test_the_same_options_give_the_same_rows() -> None:
    options = Options(customers=20, terminals=200, days=10)
    assert_frame_equal(generate(options), generate(options))


@few
@given(sizes)
def test_every_city_has_its_own_people_and_nobody_elses_payments(options: Options) -> None:
    rows = generate(options)
    city = rows["CUSTOMER_ID"] // options.customers
    assert city.equals((rows["TERMINAL_ID"] // options.terminals).alias("CUSTOMER_ID"))
    counts = dict(city.value_counts().iter_rows())
    expected = [len(simulate(options, n).payments.seconds) for n in range(options.cities)]
    assert [counts.get(n, 0) for n in range(options.cities)] == expected


def test_the_first_city_is_the_only_one_of_a_smaller_simulation() -> None:
    one, three = (Options(customers=20, terminals=200, days=10, cities=n) for n in (1, 3))
    first = generate(three).filter(pl.col("CUSTOMER_ID") < 20)
    assert_frame_equal(first.drop("TRANSACTION_ID"), generate(one).drop("TRANSACTION_ID"))
    others = [simulate(three, n).payments.seconds.tolist() for n in (0, 1, 2)]
    assert others[0] != others[1] != others[2]


def test_days_that_are_too_many_for_a_frame_come_one_after_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = Options(customers=20, terminals=200, days=10, cities=2)
    whole = generate(options)
    monkeypatch.setattr(fraud, "_ROWS_AT_ONCE", len(whole) // 4)
    frames = list(generate_frames(options))
    assert len(frames) >= 4
    assert all(len(frame) <= len(whole) // 4 for frame in frames[:-1])
    assert_frame_equal(pl.concat(frames), whole)


def test_another_seed_gives_other_rows() -> None:
    first, second = (
        generate(Options(customers=20, terminals=200, days=10, seed=seed)) for seed in (1, 2)
    )
    assert not first.equals(second)


def test_the_first_day_is_the_one_asked_for() -> None:
    options = Options(customers=50, terminals=500, days=3, start=date(2020, 2, 28))
    days = generate(options)["TX_DATETIME"].dt.date().unique().sort().to_list()
    assert days == [date(2020, 2, 28) + timedelta(days=n) for n in range(3)]


@pytest.mark.parametrize(
    ("change", "got"),
    [
        ({"customers": 0}, "customers is 0"),
        ({"terminals": -1}, "terminals is -1"),
        ({"days": 0}, "days is 0"),
        ({"cities": 0}, "cities is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"radius": 0.0}, "radius is 0.0"),
        ({"start": date(1969, 12, 31)}, "start is 1969-12-31"),
        ({"start": date(2099, 12, 31), "days": 2}, "start is 2099-12-31 for 2 days"),
    ],
)
def test_impossible_options_are_refused(change: dict[str, object], got: str) -> None:
    with pytest.raises(GenerateError, match=got):
        Options(**change)  # type: ignore[arg-type]
