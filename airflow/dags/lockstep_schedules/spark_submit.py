"""A command as a Spark application: executors exist from its start to its end, no longer.

The driver runs where the task does (client mode). On Kubernetes that is the task's pod, which
makes its executors and owns them, so that they go when it goes; what else Spark is told there
stands in the ConfigMap `lockstep-spark`.
"""

from __future__ import annotations

from lockstep_schedules import settings
from lockstep_schedules.pod import SPARK_FOLDER

_UTC = "-Duser.timezone=UTC"


def spark_submit(arguments: list[str]) -> list[str]:
    """The command that submits `lockstep ARGUMENTS --engine spark` to LOCKSTEP_SPARK_MASTER."""
    what = "where Spark runs, such as k8s://https://kubernetes.default.svc"
    master = settings.required("LOCKSTEP_SPARK_MASTER", what)
    # Else the folder of the script is the first to import from, and its `redis.py` is not Redis.
    return [
        *("env", "PYTHONSAFEPATH=1", "spark-submit"),
        *("--master", master, "--deploy-mode", "client"),
        *("--name", f"lockstep-{'-'.join(arguments[:2])}"),
        *(_on_kubernetes() if master.startswith("k8s://") else _elsewhere()),
        settings.optional("LOCKSTEP_SPARK_MAIN", "/app/lockstep/cli/__main__.py"),
        *arguments,
        *("--engine", "spark"),
    ]


def _elsewhere() -> list[str]:
    jars = settings.optional("LOCKSTEP_SPARK_JARS_DIR", "/app/.venv/share/lockstep/spark-jars")
    return _conf(
        {
            "spark.log.level": "WARN",
            "spark.driver.memory": settings.optional("LOCKSTEP_SPARK_DRIVER_MEMORY", "2g"),
            "spark.driver.extraJavaOptions": _UTC,
            "spark.executor.extraJavaOptions": _UTC,
            "spark.driver.extraClassPath": f"{jars}/*",
            "spark.executor.extraClassPath": f"{jars}/*",
        }
    )


def _on_kubernetes() -> list[str]:
    if settings.runner() != "kubernetes":
        raise settings.SettingError(
            "LOCKSTEP_SPARK_MASTER is k8s://, whose executors must reach the driver; "
            "set LOCKSTEP_RUNNER to kubernetes"
        )
    own = {
        "spark.kubernetes.namespace": settings.namespace(),
        "spark.kubernetes.container.image": settings.jobs_image(),
        # Kubernetes puts in the values.
        "spark.kubernetes.driver.pod.name": "$(POD_NAME)",
        "spark.driver.host": "$(POD_IP)",
    }
    return ["--properties-file", f"{SPARK_FOLDER}/spark.conf", *_conf(own)]


def _conf(values: dict[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in ("--conf", f"{name}={value}")]
