"""Templates over the run's data interval: what a task does follows from it, not from the clock."""

from __future__ import annotations

from lockstep_schedules.settings import required, whole_number

START = "{{ data_interval_start.isoformat() }}"
END = "{{ data_interval_end.isoformat() }}"
DAY = "{{ data_interval_start | ds }}"
WEEK_BEFORE = "{{ data_interval_start.subtract(days=6) | ds }}"
END_DAY = "{{ data_interval_end | ds }}"


def landing(use_case: str) -> str:
    """The folder of the raw files of the run's hour, named after the hour's beginning."""
    what = "the folder or s3:// URI under which raw files land"
    base = required("LOCKSTEP_LANDING", what).rstrip("/")
    return f'{base}/{use_case}/{{{{ data_interval_start.strftime("%Y-%m-%dT%H") }}}}/'


def expired_day() -> str:
    """The day before which logs are no longer kept: LOCKSTEP_LOG_DAYS before the interval ends."""
    days = whole_number("LOCKSTEP_LOG_DAYS", 90)
    return f"{{{{ data_interval_end.subtract(days={days}) | ds }}}}"
