"""A command of `lockstep` as a task: the one place that knows where commands run."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import BaseOperator
from lockstep_schedules import settings
from lockstep_schedules.container import in_container
from lockstep_schedules.pod import in_pod
from lockstep_schedules.spark_submit import spark_submit

# What fails for a while, such as files that land late, is tried again after 5, 10 and 20 minutes.
RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(hours=1),
}
# For tables that another DAG builds: tried for a day, every hour at last.
WAITING = {**RETRIES, "retries": 30}


def command(
    words: str,
    use_case: str,
    *options: str,
    pool: str,
    minutes: int,
    task_id: str | None = None,
    skip_on_exit_code: int | list[int] | None = None,
    on_spark: bool = False,
    waits: bool = False,
) -> BaseOperator:
    """The operator that runs `lockstep WORDS USE_CASE OPTIONS`, in at most `minutes`.

    Options may be templates without single quotes. With `on_spark` the command is one that has
    an engine, and LOCKSTEP_ENGINE=spark submits it to Spark. One that `waits` is tried for a day.
    """
    arguments = [*words.split(), use_case, *options]
    submitted = on_spark and settings.uses_spark()
    argv = spark_submit(arguments) if submitted else ["lockstep", *arguments]
    common: dict[str, Any] = {
        "task_id": task_id or words.replace(" ", "_"),
        "pool": pool,
        "execution_timeout": timedelta(minutes=minutes),
        "skip_on_exit_code": skip_on_exit_code,
        "do_xcom_push": False,
        **(WAITING if waits else RETRIES),
    }
    match settings.runner():
        case "docker":
            return in_container(argv, **common)
        case "kubernetes":
            return in_pod(argv, is_driver=submitted, **common)
        case _:
            return BashOperator(bash_command=shlex.join(argv), **common)
