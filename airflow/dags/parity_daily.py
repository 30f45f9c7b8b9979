"""Every day's log of what was served is laid beside the offline join; the receipt goes to the lake.

Days are caught up on, in any order. `validate` is tried until the tables reach the end of the day:
before that the join is not exact. An audit that refuses fails; one that could not check all that
it was asked for is exit code 3, and skipped, with what is missing in its log.

Drift is looked for over the last seven days of the log. What has drifted is exit code 1 and too few
rows 3; both are skipped, since the look was made: the exporter shows what it found.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, chain
from jinja2 import StrictUndefined
from lockstep_schedules.command import command
from lockstep_schedules.deadline import done_within
from lockstep_schedules.interval import DAY, END, WEEK_BEFORE
from lockstep_schedules.settings import first_instant, use_cases

with DAG(
    "parity_daily",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=first_instant(),
    catchup=True,
    max_active_runs=2,
    deadline=done_within(minutes=1_800),
    template_undefined=StrictUndefined,
    tags=["lockstep"],
):
    for name in use_cases():
        with TaskGroup(name):
            chain(
                command(
                    *("validate", name, "--end", END),
                    pool="lockstep_checks",
                    minutes=10,
                    waits=True,
                ),
                command(
                    *("audit", name, "--since", DAY, "--until", DAY),
                    pool="lockstep_lake",
                    minutes=60,
                    skip_on_exit_code=3,
                ),
            )
            command(
                *("drift", name, "--since", WEEK_BEFORE, "--until", DAY),
                pool="lockstep_lake",
                minutes=30,
                skip_on_exit_code=[1, 3],
            )
