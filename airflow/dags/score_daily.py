"""Every day's events are scored by the champion, as the API would have scored them.

Days are caught up on, in any order: a day's scores depend on no other day's, and its partition is
replaced whole. `validate` is tried until the tables reach the end of the day.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, chain
from jinja2 import StrictUndefined
from lockstep_schedules.command import command
from lockstep_schedules.deadline import done_within
from lockstep_schedules.interval import DAY, END
from lockstep_schedules.settings import first_instant, use_cases

with DAG(
    "score_daily",
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
                command("score", name, "--date", DAY, pool="lockstep_lake", minutes=60),
            )
