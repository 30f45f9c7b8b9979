"""Every hour's raw files become features in Redis.

Hours are caught up on, one at a time: none may be left out, and each builds on the one before.
The tables themselves hold that order: `build` refuses an interval that leaves a gap, so a run
whose predecessor failed says so, and clearing failed runs from the first one on completes them.
With `depends_on_past` the later run would wait, and so hold the slot that the earlier one needs.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, chain
from jinja2 import StrictUndefined
from lockstep_schedules.command import command
from lockstep_schedules.deadline import done_within
from lockstep_schedules.interval import END, START, landing
from lockstep_schedules.settings import first_instant, use_cases

with DAG(
    "features_hourly",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=first_instant(),
    catchup=True,
    max_active_runs=1,
    deadline=done_within(minutes=45),
    template_undefined=StrictUndefined,
    tags=["lockstep"],
):
    for name in use_cases():
        interval = ("--start", START, "--end", END)
        with TaskGroup(name):
            chain(
                # An empty file says that the hour was quiet; a folder that is not there fails.
                command(
                    *("ingest", name, "--from", landing(name), "--allow-empty"),
                    pool="lockstep_lake",
                    minutes=30,
                ),
                command(
                    *("build", name, *interval, "--cascade"),
                    pool="lockstep_lake",
                    minutes=60,
                    on_spark=True,
                ),
                command("validate", name, "--end", END, pool="lockstep_checks", minutes=10),
                command("materialize", name, *interval, pool="lockstep_online", minutes=30),
                command("freshness", name, "--at", END, pool="lockstep_checks", minutes=10),
            )
