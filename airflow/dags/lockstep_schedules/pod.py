"""A command in a pod of its own, which is gone when the command is."""

from __future__ import annotations

from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s
from lockstep_schedules import settings

SPARK_FOLDER = "/etc/lockstep/spark"
_USER = 10001
_WRITABLE = {"tmp": "/tmp", "home": "/var/lib/lockstep"}
# ConfigMaps by where their files are: whom to trust, and how Spark starts.
_CA = {"/etc/lockstep/ca": "lockstep-ca"}
_SPARK = {SPARK_FOLDER: "lockstep-spark"}


def in_pod(argv: list[str], *, is_driver: bool, **common: Any) -> KubernetesPodOperator:
    """The operator that runs `argv` in a pod; a Spark driver may make pods, others have no token.

    If the worker dies, the next try finds the pod again instead of starting a second one.
    """
    files = _CA | _SPARK if is_driver else _CA
    return KubernetesPodOperator(
        name="lockstep-" + common["task_id"].replace("_", "-"),
        namespace=settings.namespace(),
        image=settings.jobs_image(),
        cmds=argv[:1],
        arguments=argv[1:],
        env_from=[
            k8s.V1EnvFromSource(config_map_ref=k8s.V1ConfigMapEnvSource(name="lockstep")),
            k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name="lockstep-jobs")),
        ],
        pod_runtime_info_envs=_who_it_is() if is_driver else None,
        service_account_name="lockstep-spark" if is_driver else "lockstep-jobs",
        automount_service_account_token=is_driver,
        container_resources=_resources(),
        volumes=[*map(_scratch, _WRITABLE), *map(_files, files.values())],
        volume_mounts=[
            *(k8s.V1VolumeMount(name=n, mount_path=p) for n, p in _WRITABLE.items()),
            *(k8s.V1VolumeMount(name=n, mount_path=p, read_only=True) for p, n in files.items()),
        ],
        security_context=_pod_security(),
        container_security_context=_container_security(),
        labels={"app.kubernetes.io/name": "lockstep", "app.kubernetes.io/component": "jobs"},
        on_finish_action="delete_pod",
        durable=True,
        deferrable=False,
        startup_timeout_seconds=600,
        **common,
    )


def _who_it_is() -> list[k8s.V1EnvVar]:
    """What executors must know of their driver."""
    fields = {"POD_NAME": "metadata.name", "POD_IP": "status.podIP"}
    return [
        k8s.V1EnvVar(
            name=name,
            value_from=k8s.V1EnvVarSource(field_ref=k8s.V1ObjectFieldSelector(field_path=path)),
        )
        for name, path in fields.items()
    ]


def _resources() -> k8s.V1ResourceRequirements:
    memory = settings.optional("LOCKSTEP_JOB_MEMORY", "4Gi")
    cpu = settings.optional("LOCKSTEP_JOB_CPU", "1")
    return k8s.V1ResourceRequirements(
        requests={"cpu": cpu, "memory": memory}, limits={"memory": memory}
    )


def _scratch(name: str) -> k8s.V1Volume:
    return k8s.V1Volume(name=name, empty_dir=k8s.V1EmptyDirVolumeSource())


def _files(name: str) -> k8s.V1Volume:
    return k8s.V1Volume(name=name, config_map=k8s.V1ConfigMapVolumeSource(name=name))


def _pod_security() -> k8s.V1PodSecurityContext:
    return k8s.V1PodSecurityContext(
        run_as_non_root=True,
        run_as_user=_USER,
        run_as_group=_USER,
        fs_group=_USER,
        seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
    )


def _container_security() -> k8s.V1SecurityContext:
    return k8s.V1SecurityContext(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=k8s.V1Capabilities(drop=["ALL"]),
    )
