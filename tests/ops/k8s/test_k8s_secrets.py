"""The script that makes the local secrets: all that the overlay needs, and nothing twice."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from k8s_manifests import K8S, Object, named, of_kind
from k8s_reference_rules import reference_faults
from k8s_value_rules import known_variables
from programs import BIN, program

SCRIPT = K8S / "overlays" / "local" / "make-secrets"
_SERVERS = {"ROOT_ACCESS_KEY", "ROOT_SECRET_KEY", "ADMIN_ACCESS_KEY", "ADMIN_SECRET_KEY"} | {
    "LAKE_SECRET_KEY",
    "MLFLOW_SECRET_KEY",
}


def make(folder: Path) -> list[Object]:
    """What the script prints."""
    done = subprocess.run(
        [SCRIPT, folder],
        env=os.environ
        | {"PATH": f"{BIN}:{os.environ['PATH']}", "LOCKSTEP": str(program("lockstep"))},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def made(folder: Path) -> list[Object]:
    return make(folder)


def values(made: list[Object], name: str) -> dict[str, str]:
    """The values of one Secret, decoded."""
    data = named(made, "Secret", name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_the_overlay_finds_all_that_it_names(made: list[Object], local: list[Object]) -> None:
    keys = {o["metadata"]["name"]: set(o["data"]) for o in made}
    assert list(reference_faults(local, keys)) == []
    without = {name: found - {"token"} for name, found in keys.items()}
    (fault,) = reference_faults(local, without)
    assert "lockstep-metrics has no key token" in fault


def test_every_variable_is_read_by_somebody(made: list[Object]) -> None:
    names = {key for o in of_kind(made, "Secret") for key in o["data"] if key.isupper()}
    assert names - known_variables() - _SERVERS == set()


def test_who_reads_has_no_account_that_writes(made: list[Object]) -> None:
    jobs = values(made, "lockstep-jobs")
    for name in ("lockstep-api", "lockstep-exporter", "lockstep-ui"):
        for key, value in values(made, name).items():
            if not key.startswith("AWS_"):
                assert value != jobs[key], f"{name} {key}"


def test_again_is_the_same(made: list[Object], folder: Path) -> None:
    again = make(folder)
    for name in ("lockstep-jobs", "lockstep-postgres", "lockstep-tls", "lockstep-api-keys"):
        assert values(again, name) == values(made, name)


def test_no_two_passwords_are_alike(made: list[Object]) -> None:
    passwords = list(values(made, "lockstep-postgres").values())
    passwords.append(values(made, "lockstep-metrics")["password"])
    passwords += [v for k, v in values(made, "lockstep-s3-accounts").items() if "SECRET" in k]
    assert len(set(passwords)) == len(passwords)
    assert min(map(len, passwords)) >= 32


def test_certificates_are_of_the_services(made: list[Object], local: list[Object]) -> None:
    tls = values(made, "lockstep-tls")
    for service in of_kind(local, "Service"):
        name = service["metadata"]["name"]
        if name in ("redis", "postgres", "s3"):
            continue
        done = subprocess.run(
            ["openssl", "x509", "-noout", "-checkhost", name],
            input=tls["tls.crt"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert "does match" in done.stdout
