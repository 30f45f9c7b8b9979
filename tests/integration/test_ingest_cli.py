"""From generated or real files to the lake, through the commands as they are typed."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from lockstep.cli import generate, ingest
from lockstep.cli.own_options import ANY_OPTIONS
from lockstep.errors import LockstepError
from lockstep.lake.lake import Lake

app = typer.Typer()
app.command("generate", context_settings=ANY_OPTIONS)(generate.generate)
app.command("ingest", context_settings=ANY_OPTIONS)(ingest.ingest)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, with lines as wide as they need to be."""
    monkeypatch.setenv("LOCKSTEP_HOME", str(tmp_path))
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def shown(*arguments: str | Path) -> str:
    """What a command that succeeds prints."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str | Path) -> str:
    """The one line that a command is refused with."""
    error = run(*arguments).exception
    assert isinstance(error, LockstepError)
    return str(error)


def generated(home: Path) -> Path:
    """A small generated file in its default place."""
    shown("generate", "fraud", "--customers", "20", "--terminals", "300", "--days", "5")
    return home / "raw" / "fraud.parquet"


def test_generated_data_is_ingested_in_full(home: Path) -> None:
    source = generated(home)
    rows = pl.read_parquet(source)
    output = shown("ingest", "fraud", "--from", source)
    assert f"{len(rows):,}" in output
    transactions = Lake.at(home / "lake").table("fraud/transactions").scan().collect()
    verdicts = Lake.at(home / "lake").table("fraud/verdicts").scan().collect()
    assert transactions["transaction_id"].to_list() == rows["TRANSACTION_ID"].to_list()
    assert (transactions["amount_cents"] / 100.0 - rows["TX_AMOUNT"]).abs().max() < 1e-9  # type: ignore[operator]
    assert verdicts["fraud"].sum() == rows["TX_FRAUD"].sum()


def test_generate_says_what_it_wrote_and_where(home: Path) -> None:
    target = home / "elsewhere" / "my.parquet"
    size = ("--customers", "5", "--terminals", "300", "--days", "2")
    output = shown("generate", "fraud", *size, "--start", "2020-02-29", "--out", target)
    rows = pl.read_parquet(target)
    assert f"{len(rows):,} rows: {target}" in output
    assert rows["TX_DATETIME"].dt.date().unique().sort().to_list() == [
        date(2020, 2, 29),
        date(2020, 3, 1),
    ]


def test_generate_follows_its_seed(home: Path) -> None:
    size = ("--customers", "5", "--terminals", "300", "--days", "3")
    files = [home / f"{n}.parquet" for n in range(3)]
    for file, seed in zip(files, ("1", "1", "2"), strict=True):
        shown("generate", "fraud", *size, "--seed", seed, "--out", file)
    first, same, other = (pl.read_parquet(file) for file in files)
    assert first.equals(same)
    assert not first.equals(other)


def test_rejected_rows_are_counted_and_located(home: Path) -> None:
    source = home / "some.parquet"
    bad = pl.when(pl.col("TRANSACTION_ID") == 3).then(-1.0).otherwise("TX_AMOUNT")
    pl.read_parquet(generated(home)).with_columns(TX_AMOUNT=bad).write_parquet(source)
    output = shown("ingest", "fraud", "--from", source)
    assert "tx_amount:too_small" in output
    (part,) = (home / "lake/fraud/transactions_rejected").glob("*/*.parquet")
    assert f"1 bad rows with their reasons: {part.parent}" in output


def test_the_allowed_share_of_bad_rows_can_be_set(home: Path) -> None:
    source = home / "bad.parquet"
    pl.read_parquet(generated(home)).with_columns(TX_FRAUD=2).write_parquet(source)
    assert "allow more with --max-rejected-share" in refused("ingest", "fraud", "--from", source)
    shown("ingest", "fraud", "--from", source, "--max-rejected-share", "1")


def test_the_label_delay_can_be_set(home: Path) -> None:
    source = generated(home)
    shown("ingest", "fraud", "--from", source, "--label-delay-days", "2")
    days = [
        Lake.at(home / "lake").table(f"fraud/{n}").days()[0] for n in ("transactions", "verdicts")
    ]
    assert (days[1] - days[0]).days == 2


def test_a_second_ingest_says_that_all_is_there(home: Path) -> None:
    source = generated(home)
    shown("ingest", "fraud", "--from", source)
    output = shown("ingest", "fraud", "--from", source)
    there = next(line for line in output.splitlines() if "already there" in line)
    assert f"{len(pl.read_parquet(source)):,}" in there


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "weather"), "no use case 'weather'; known are ["),
        (("generate", "--days", "3", "fraud"), "name one of them first"),
        (
            ("ingest", "--label-delay-days", "3", "fraud", "--from", "x"),
            "name one of them first",
        ),
        (("generate", "fraud", "--radius", "nan"), "radius is nan, expected more than 0"),
        (("generate", "fraud", "--days", "0"), "days is 0, expected at least 1"),
        (("generate", "fraud", "--out", "/"), "/ is a folder, expected a file"),
        (("ingest", "weather", "--from", "x"), "no use case 'weather'; known are ["),
        (
            ("ingest", "fraud", "--from", "absent.csv"),
            "absent.csv; pass a parquet or text file",
        ),
        (
            ("ingest", "fraud", "--from", "x", "--label-delay-days", "-1"),
            "label-delay-days is -1, expected 0 to 3,650 days",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    error = refused(*arguments)
    assert message in error
    assert "\n" not in error


def test_the_commands_load_no_heavy_library_before_they_run() -> None:
    code = (
        "import sys, lockstep.cli.generate, lockstep.cli.ingest;"
        "print({'polars', 'numpy', 'pyarrow', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.realdata
def test_the_handbooks_file_is_accepted_in_full(home: Path, handbook: Path) -> None:
    output = shown("ingest", "fraud", "--from", handbook)
    assert "rejected" in output
    transactions = Lake.at(home / "lake").table("fraud/transactions").scan()
    verdicts = Lake.at(home / "lake").table("fraud/verdicts").scan()
    assert transactions.select(pl.len()).collect().item() == 1_754_155
    assert verdicts.select(pl.col("fraud").sum()).collect().item() == 14_681
    raw = pl.scan_parquet(handbook).select(
        transaction_id="TRANSACTION_ID", amount_cents=(pl.col("TX_AMOUNT") * 100).round()
    )
    stored = transactions.select("transaction_id", pl.col("amount_cents").cast(pl.Float64))
    unequal = raw.join(stored, on=["transaction_id", "amount_cents"], how="anti")
    assert unequal.select(pl.len()).collect().item() == 0
