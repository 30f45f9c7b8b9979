"""`lockstep build`: what it prints, and progress with and without a terminal."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lockstep.cli import progress
from lockstep.cli.main import main
from lockstep.lake.lake import Lake

T0 = datetime(2018, 4, 1, tzinfo=UTC)
TABLES = ("customer_windows", "terminal_windows", "customer_daily", "terminal_daily")


def write_day(lake: Lake, day: int, *, rows: int) -> None:
    """Payments of one day and verdicts on them, known at once."""
    times = [T0 + timedelta(days=day, hours=hour) for hour in range(rows)]
    events = pl.DataFrame(
        {
            "event_timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
            "created_timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
            "customer_id": [1] * rows,
            "terminal_id": range(rows),
            "amount_cents": [100] * rows,
            "fraud": [0] * rows,
        }
    )
    for name, column in (("transactions", "fraud"), ("verdicts", "amount_cents")):
        date = T0.date() + timedelta(days=day)
        lake.table(f"fraud/{name}").write_day(date, events.drop(column))


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Three days of payments in the lake that the command finds."""
    monkeypatch.setenv("LOCKSTEP_HOME", str(tmp_path))
    lake = Lake.at(tmp_path / "lake")
    for day in range(3):
        write_day(lake, day, rows=2)
    return lake


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["lockstep", "build", "fraud", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0


def test_a_build_prints_its_receipts(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--end", "2018-04-04")
    shown = capsys.readouterr().out
    for name in TABLES:
        assert f"fraud/{name}, local engine" in shown
    receipt = lake.table("fraud/customer_windows").metadata()["build"]
    assert receipt["horizon"] == "2018-04-04T00:00:00+00:00"
    for value in ("2018-04-04T00:00:00+00:00", "the first event", receipt["content_hash"][:16]):
        assert value in shown
    assert "late" not in shown
    assert "stale" not in shown


def test_what_has_become_stale_is_told_and_mended_by_a_cascade(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--end", "2018-04-04")
    write_day(lake, 0, rows=3)
    run(monkeypatch, "--start", "2018-04-01", "--end", "2018-04-02")
    shown = capsys.readouterr().out
    for name in TABLES:
        assert f"fraud/{name}: 2018-04-02 to 2018-04-03 are stale" in shown
    assert "by the same command with --cascade" in shown
    run(monkeypatch, "--start", "2018-04-01", "--end", "2018-04-02", "--cascade")
    assert "stale" not in capsys.readouterr().out
    horizon = lake.table("fraud/customer_windows").horizon()
    assert horizon == datetime(2018, 4, 4, tzinfo=UTC)


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_progress_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.progress_shown() as update:
        for second in range(11):
            now[0] = float(second)
            update("steps", second / 10)
    assert capsys.readouterr().err == "steps (50%)\nsteps (100%)\n"


def test_on_a_terminal_progress_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.progress_shown() as update:
        update("steps", 0.5)
    assert "steps" in terminal.getvalue()
    assert "50%" in terminal.getvalue()
