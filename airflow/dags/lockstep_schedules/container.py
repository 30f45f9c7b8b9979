"""A command in a container of the jobs' image, beside Airflow on a Docker engine."""

from __future__ import annotations

import os
from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator
from docker.types import Mount
from lockstep_schedules import settings

# The names of what a job may know. The values are those that the process which runs the task
# has: Airflow neither stores nor shows them.
_PASSED_ON = ("LOCKSTEP_", "AWS_", "FEAST_", "MLFLOW_", "REDIS_URL")
_USER = "10001"


def in_container(argv: list[str], **common: Any) -> DockerOperator:
    """The operator that runs `argv` in a container, which is removed at the end."""
    network = "the Docker network of Redis, MLflow and the S3 server"
    return DockerOperator(
        image=settings.jobs_image(),
        entrypoint=argv[:1],
        command=argv[1:],
        private_environment={k: v for k, v in os.environ.items() if k.startswith(_PASSED_ON)},
        network_mode=settings.required("LOCKSTEP_DOCKER_NETWORK", network),
        user=_USER,
        mounts=[
            # Not a tmpfs, which Docker mounts without `exec`: Spark unpacks libraries there.
            Mount(target="/tmp", source="lockstep-tmp", type="volume"),
            Mount(target="/var/lib/lockstep", source="lockstep-home", type="volume"),
        ],
        mount_tmp_dir=False,
        auto_remove="force",
        mem_limit=settings.optional("LOCKSTEP_JOB_MEMORY", "4g").removesuffix("i").lower(),
        **common,
    )
