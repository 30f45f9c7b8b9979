"""What the schedules read from Airflow's environment; an unset variable is an import error.

Only what a DAG's shape depends on. What the commands read themselves is none of Airflow's business.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime


class SettingError(Exception):
    """A variable that is unset or wrong; Airflow shows the message as an import error."""


def required(name: str, what: str) -> str:
    """The value of variable `name`, which says `what`.

    Raises:
        SettingError: it is unset or empty.
    """
    if value := os.environ.get(name, "").strip():
        return value
    raise SettingError(f"{name} is not set; set it to {what} (docs/schedules.md)")


def optional(name: str, default: str) -> str:
    """The value of variable `name`; `default` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def use_cases() -> list[str]:
    """LOCKSTEP_USE_CASES: the use cases with a schedule, in order."""
    what = "the use cases with a schedule, such as fraud,market"
    names = [name.strip() for name in required("LOCKSTEP_USE_CASES", what).split(",")]
    for name in names:
        if not re.fullmatch("[a-z][a-z0-9_]*", name) or names.count(name) > 1:
            raise SettingError(f"LOCKSTEP_USE_CASES has {name!r}; give {what}, each once")
    return names


def first_instant() -> datetime:
    """LOCKSTEP_SCHEDULE_START: where the intervals begin, and the history before them ends."""
    what = "the first UTC hour to schedule, such as 2026-01-01T00"
    text = required("LOCKSTEP_SCHEDULE_START", what)
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    except ValueError:
        raise SettingError(f"LOCKSTEP_SCHEDULE_START is {text!r}; give {what}") from None


def whole_number(name: str, default: int) -> str:
    """A whole number from 0 on, as an argument of a command."""
    text = optional(name, str(default))
    if not text.isdecimal():
        raise SettingError(f"{name} is {text!r}; give a whole number, such as {default}")
    return text


def one_of(name: str, *choices: str) -> str:
    """A variable with a closed set of values, the first of which is the default."""
    value = optional(name, choices[0])
    if value not in choices:
        raise SettingError(f"{name} is {value!r}; choose one of {', '.join(choices)}")
    return value


def runner() -> str:
    """LOCKSTEP_RUNNER: where a command runs."""
    return one_of("LOCKSTEP_RUNNER", "process", "docker", "kubernetes")


def uses_spark() -> bool:
    """LOCKSTEP_ENGINE: whether tables are built on Spark."""
    return one_of("LOCKSTEP_ENGINE", "local", "spark") == "spark"


def namespace() -> str:
    """LOCKSTEP_NAMESPACE: where pods are made."""
    return required("LOCKSTEP_NAMESPACE", "the namespace of the jobs' pods")


def jobs_image() -> str:
    """LOCKSTEP_JOBS_IMAGE: the image of the jobs, with a version."""
    what = "the image of the jobs with its version, such as registry.example/lockstep-jobs:1.4.0"
    image = required("LOCKSTEP_JOBS_IMAGE", what)
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    if "@" not in image and tag in ("", "latest"):
        raise SettingError(f"LOCKSTEP_JOBS_IMAGE is {image!r}, which names no version; give {what}")
    return image
