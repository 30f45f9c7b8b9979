"""What a server needs to know of the definitions, compiled once and kept in a file.

Feast takes seconds to import, so a server does not: `plan_compiler` reads the installed
definitions and writes this, when an image is built or when `lockstep serve` finds none that
is theirs. Nothing in it is executed: functions are named, and imported from the installation.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

import feature_repo
from lockstep.stores.read_plan import ReadPlan
from lockstep.use_cases import use_case_names
from serving.catalog import Catalog
from serving.errors import DefinitionsError
from serving.settings import ServingSettings

_FORMAT = 2


@dataclass(frozen=True)
class PlannedFeature:
    """One feature of a service. `view` is where it comes from, `type` Feast's name of it."""

    name: str
    view: str
    type: str
    description: str

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.type.startswith(("Int", "UnixTimestamp"))


@dataclass(frozen=True)
class PlannedFunction:
    """The function of an on-demand view, and which of its outputs the service has.

    `takes_columns`: it takes numpy arrays, else lists. `whole` are its inputs that are
    whole numbers.
    """

    view: str
    features: tuple[str, ...]
    module: str
    name: str
    takes_columns: bool

    def load(self) -> Any:
        """The function itself, out of the installed package.

        Raises:
            DefinitionsError: it is not there.
        """
        try:
            return getattr(import_module(self.module), self.name)
        except (ImportError, AttributeError) as error:
            raise DefinitionsError.lost_function(self.view, self.module, self.name) from error


@dataclass(frozen=True)
class ServicePlan:
    """One feature service: its features in order, what is read for them and computed then.

    `stored` are all features that are read, in the order in which `reads` has them; `policy`
    are the service's tags about statuses; `log_columns` the keys, request columns and features
    of Feast's logging schema in its order, with their types.
    """

    name: str
    fingerprint: str
    features: tuple[PlannedFeature, ...]
    stored: tuple[PlannedFeature, ...]
    reads: ReadPlan
    functions: tuple[PlannedFunction, ...]
    policy: dict[str, str]
    log_columns: tuple[tuple[str, str], ...]

    @cached_property
    def computed(self) -> frozenset[str]:
        """The features that on-demand functions compute."""
        return frozenset(name for function in self.functions for name in function.features)


@dataclass(frozen=True)
class ServingPlan:
    """The services of each use case by name, and of which sources this was made."""

    made_of: str
    use_cases: dict[str, dict[str, ServicePlan]]

    def write(self, path: Path) -> None:
        """Puts the plan into a file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> ServingPlan | None:
        """The plan in a file; None where there is none that this version reads."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            return None


def plan_of(settings: ServingSettings) -> ServingPlan:
    """The plan of the installed definitions; compiled in a process of its own where it is absent.

    Raises:
        DefinitionsError: the definitions cannot be used; the message is the compiler's.
    """
    path, wanted = settings.plan_path, sources_hash(settings)
    plan = ServingPlan.read(path)
    if plan is None or plan.made_of != wanted:
        command = [sys.executable, "-m", "serving.plan_compiler"]
        environment = os.environ | {"LOCKSTEP_PROJECT_DIR": str(settings.project.project_dir)}
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        plan = ServingPlan.read(path)
        if ended.returncode or plan is None or plan.made_of != wanted:
            raise DefinitionsError.not_compiled(ended.stderr)
    return plan


def sources_hash(settings: ServingSettings) -> str:
    """SHA-256 in hex of the project's name, the installed use cases and Lockstep's version.

    Of a use case its definitions count, and whether it is served.

    Raises:
        DefinitionsError: feature_store.yaml cannot be used.
    """
    folder = Path(feature_repo.__file__).parent
    project = Catalog.load(settings.project).project
    served = " ".join(use_case_names("serving.use_cases"))
    told = hashlib.sha256(f"{_FORMAT} {version('lockstep')} {project} {served}".encode())
    for path in sorted(folder.rglob("*.py")):
        told.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return told.hexdigest()
