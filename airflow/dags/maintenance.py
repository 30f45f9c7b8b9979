"""Every day the log of served features is compacted and what is too old goes; the ledger is read.

Days that were missed are not caught up on: each run does what all before it had to do.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, chain
from jinja2 import StrictUndefined
from lockstep_schedules.command import command
from lockstep_schedules.deadline import done_within
from lockstep_schedules.interval import END, END_DAY, expired_day
from lockstep_schedules.settings import first_instant, use_cases

with DAG(
    "maintenance",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=first_instant(),
    catchup=False,
    max_active_runs=1,
    deadline=done_within(minutes=360),
    template_undefined=StrictUndefined,
    tags=["lockstep"],
):
    for name in use_cases():
        compact = ("log compact", name, "--before", END_DAY)
        expire = ("log expire", name, "--before", expired_day())
        with TaskGroup(name):
            chain(
                command(*compact, pool="lockstep_lake", minutes=60),
                command(*expire, pool="lockstep_lake", minutes=60),
            )
            command("ledger check", name, "--at", END, pool="lockstep_checks", minutes=10)
