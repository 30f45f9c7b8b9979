"""The laws of the handbook's generative model, as properties of what is generated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lockstep.jobs.generate import fraud
from lockstep.jobs.generate.errors import GenerateError
from lockstep.jobs.generate.fraud import (
    Options,
    Simulation,
    generate,
    generate_frames,
    simulate,
)
from lockstep.jobs.generate.write import write_frames

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
# Of a normal day: the share of draws around noon that fall inside it.
INSIDE_THE_DAY = 0.9692

sizes = st.builds(
    Options,
    customers=st.integers(1, 25),
    terminals=st.integers(1, 60),
    days=st.integers(1, 45),
    seed=st.integers(0, 10_000),
    radius=st.sampled_from([3.0, 15.0, 150.0]),
    cities=st.integers(1, 3),
)
simulations = sizes.map(simulate)
few = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def large() -> Simulation:
    return simulate(Options(customers=1_000, terminals=2_000, days=60, seed=3))


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


@few
@given(sizes)
def test_terminals_lie_within_the_radius(options: Options) -> None:
    drawn = simulate(options)
    customers = drawn.population.customer_xy[drawn.payments.customer]
    terminals = drawn.population.terminal_xy[drawn.payments.terminal]
    assert (np.hypot(*(customers - terminals).T) < options.radius).all()


@few
@given(sizes)
def test_reach_holds_every_terminal_within_the_radius(options: Options) -> None:
    drawn = simulate(options)
    for customer, xy in enumerate(drawn.population.customer_xy):
        near = np.flatnonzero(np.hypot(*(drawn.population.terminal_xy - xy).T) < options.radius)
        own = slice(*drawn.reach.offsets[customer : customer + 2])
        assert drawn.reach.terminals[own].tolist() == near.tolist()


def test_whoever_reaches_no_terminal_pays_nothing() -> None:
    drawn = simulate(Options(customers=200, terminals=20, days=30))
    out_of_reach = np.flatnonzero(drawn.reach.counts == 0)
    assert len(out_of_reach) > 0
    assert not np.isin(drawn.payments.customer, out_of_reach).any()


@few
@given(simulations)
def test_scenario_1_is_an_amount_above_220_that_no_later_scenario_took(drawn: Simulation) -> None:
    large = drawn.payments.cents > 22_000
    taken = np.isin(drawn.frauds.scenario, (2, 3))
    assert ((drawn.frauds.scenario == 1) == (large & ~taken)).all()


@few
@given(simulations)
def test_scenario_2_is_a_terminal_within_28_days_of_its_compromise(drawn: Simulation) -> None:
    day, terminal = drawn.payments.day, drawn.payments.terminal
    compromised = np.zeros(len(day), dtype=bool)
    for first, terminals in enumerate(drawn.frauds.terminals):
        inside = (day >= first) & (day < first + 28)
        compromised |= inside & np.isin(terminal, terminals)
    later = drawn.frauds.scenario == 3
    assert ((drawn.frauds.scenario == 2) == (compromised & ~later)).all()


@few
@given(simulations)
def test_scenario_3_is_a_third_of_14_days_of_three_customers(drawn: Simulation) -> None:
    day, customer = drawn.payments.day, drawn.payments.customer
    for first, customers in enumerate(drawn.frauds.customers):
        inside = (day >= first) & (day < first + 14) & np.isin(customer, customers)
        chosen = drawn.frauds.amplified[first]
        assert inside[chosen].all()
        assert len(set(chosen.tolist())) == len(chosen) == inside.sum() // 3


@few
@given(simulations)
def test_scenario_3_multiplies_by_five_and_nothing_else_changes(drawn: Simulation) -> None:
    times = np.zeros(len(drawn.payments.cents), dtype=np.int64)
    for chosen in drawn.frauds.amplified:
        times[chosen] += 1
    assert (drawn.frauds.cents == drawn.payments.cents * 5**times).all()
    assert ((drawn.frauds.scenario == 3) == (times > 0)).all()


@few
@given(sizes)
def test_two_terminals_and_three_customers_a_day_where_there_are_as_many(options: Options) -> None:
    frauds = simulate(options).frauds
    assert frauds.terminals.shape == (options.days, min(2, options.terminals))
    assert frauds.customers.shape == (options.days, min(3, options.customers))
    for ids in (*frauds.terminals, *frauds.customers):
        assert len(set(ids.tolist())) == len(ids)


def test_people_are_uniform_in_their_ranges(large: Simulation) -> None:
    people = large.population
    for values, low, high in (
        (people.mean_amount, 5, 100),
        (people.payments_per_day, 0, 4),
        (people.customer_xy, 0, 100),
        (people.terminal_xy, 0, 100),
    ):
        assert low <= values.min() and values.max() <= high
        quartiles = np.quantile((values - low) / (high - low), [0.25, 0.5, 0.75])
        assert quartiles == pytest.approx([0.25, 0.5, 0.75], abs=0.06)


def test_customers_pay_at_their_own_rate(large: Simulation) -> None:
    counts = np.bincount(large.payments.customer, minlength=1_000)
    expected = large.population.payments_per_day * 60 * INSIDE_THE_DAY
    expected[large.reach.counts == 0] = 0
    assert counts.sum() == pytest.approx(expected.sum(), rel=0.01)
    # Poisson: five deviations for each of a thousand customers.
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected) + 1).all()


def test_times_of_day_are_normal_around_noon(large: Simulation) -> None:
    from_noon = large.payments.seconds % 86_400 - 43_200
    assert np.median(from_noon) == pytest.approx(0, abs=300)
    within = (np.abs(from_noon) < 20_000).mean()
    assert within == pytest.approx(0.6827 / INSIDE_THE_DAY, abs=0.01)


def test_amounts_are_normal_around_the_customers_mean(large: Simulation) -> None:
    mean = large.population.mean_amount[large.payments.customer]
    relative = large.payments.cents / 100 / mean
    assert relative.min() >= 0
    # 2.3 % are negative and drawn anew from 0..2, half of which fall within 0.5..1.5.
    within = ((relative > 0.5) & (relative < 1.5)).mean()
    assert within == pytest.approx(0.6827 + 0.0228 / 2, abs=0.01)
    assert (relative > 2).mean() == pytest.approx(0.0228, abs=0.004)


def test_reachable_terminals_are_equally_likely(large: Simulation) -> None:
    reach, payments = large.reach, large.payments
    starts, counts = reach.offsets[payments.customer], reach.counts[payments.customer]
    span = 2_000
    owner = np.repeat(np.arange(1_000), reach.counts)
    places = np.searchsorted(
        owner * span + reach.terminals, payments.customer * span + payments.terminal
    )
    rank = (places - starts + 0.5) / counts
    assert np.quantile(rank, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.02)


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


def test_a_file_gets_a_row_group_for_each_frame_or_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "raw" / "fraud.parquet"
    frames = [pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [3]})]
    assert write_frames(target, frames) == 3
    assert pq.read_metadata(target).num_row_groups == 2
    assert pl.read_parquet(target)["a"].to_list() == [1, 2, 3]

    def broken() -> Iterator[pl.DataFrame]:
        yield frames[1]
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_frames(target, broken())
    assert [path.name for path in target.parent.iterdir()] == ["fraud.parquet"]
    assert pl.read_parquet(target)["a"].to_list() == [1, 2, 3]


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
