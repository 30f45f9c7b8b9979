"""Every week a challenger is trained on what was known, judged, and promoted or refused.

A refusal is exit code 3: the task is skipped, not failed, with the table of rules in its log.
Weeks that were missed are not caught up on: only the newest model would be of use. One run at a
time: what is promoted must be the newest.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, chain
from jinja2 import StrictUndefined
from lockstep_schedules.command import command
from lockstep_schedules.deadline import done_within
from lockstep_schedules.interval import END
from lockstep_schedules.settings import first_instant, use_cases, whole_number

SEARCH = ("--search", whole_number("LOCKSTEP_SEARCH_TRIALS", 50), "--once")

with DAG(
    "train_weekly",
    schedule=CronDataIntervalTimetable("0 0 * * 1", timezone="UTC"),
    start_date=first_instant(),
    catchup=False,
    max_active_runs=1,
    deadline=done_within(minutes=720),
    template_undefined=StrictUndefined,
    tags=["lockstep"],
):
    for name in use_cases():
        as_of = (name, "--as-of", END)
        with TaskGroup(name):
            chain(
                command(
                    *("validate", name, "--end", END),
                    pool="lockstep_checks",
                    minutes=10,
                    waits=True,
                ),
                command("train", *as_of, *SEARCH, pool="lockstep_train", minutes=360),
                command("evaluate", *as_of, "--challenger", pool="lockstep_train", minutes=60),
                command("promote", *as_of, pool="lockstep_train", minutes=60, skip_on_exit_code=3),
            )
