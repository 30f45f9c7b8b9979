"""Models as files on this machine: what the fetcher brings, the workers load.

    <home>/models/<use case>/<version>-<run>/model.cbm, metadata.json, example.json
    <home>/models/<use case>/state.json      which of them serves, and what was refused

A worker knows no registry: it serves the last good model while MLflow is down, also after a
restart. Nothing here is executed: CatBoost's own format, and JSON.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockstep.contract.model_artefact import ModelArtefact, ModelArtefactError
from lockstep.contract.predictor import Predictor
from lockstep.contract.registered_model import RegisteredModel

MODEL, METADATA, EXAMPLE = "model.cbm", "metadata.json", "example.json"


@dataclass(frozen=True)
class Cached:
    """One version of a model in its folder."""

    version: int
    folder: str


@dataclass(frozen=True)
class Refusal:
    """Why a version does not serve."""

    alias: str
    version: int | None
    why: str


@dataclass(frozen=True)
class CacheState:
    """What serves now. `problem` is why the registry could not be asked the last time.

    `answered` is the last request for a reload that was seen to. `is_unregistered`: when the
    registry last answered, it had no champion.
    """

    champion: Cached | None = None
    challenger: Cached | None = None
    refused: tuple[Refusal, ...] = ()
    problem: str | None = None
    checked: datetime | None = None
    answered: int = 0
    is_unregistered: bool = False


@dataclass(frozen=True)
class ModelCache:
    """The models of one use case under `folder`."""

    use_case: str
    folder: Path

    @classmethod
    def under(cls, models_dir: Path, use_case: str) -> ModelCache:
        """The cache of a use case."""
        return cls(use_case, models_dir / use_case)

    def state(self) -> CacheState:
        """What the fetcher last said; nothing where it never ran or its file is damaged."""
        return self._read("state.json", CacheState) or CacheState()

    def write_state(self, state: CacheState) -> None:
        """Tells the workers; whole or not at all."""
        self._write("state.json", state)

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever the state was written."""
        try:
            found = (self.folder / "state.json").stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino

    def ask_for_reload(self) -> int:
        """Asks the fetcher to look at the registry now; the number that its state answers."""
        number = self.asked() + 1
        self._write("asked.json", number)
        return number

    def asked(self) -> int:
        """The newest request for a reload."""
        return self._read("asked.json", int) or 0

    def load(self, cached: Cached) -> tuple[RegisteredModel, NDArray[np.float64]]:
        """The model, and rows of its input to try it with.

        Raises:
            ModelArtefactError: a file is absent or damaged, or the model is another one.
        """
        folder = self.folder / cached.folder
        metadata = self._read(f"{cached.folder}/{METADATA}", dict[str, Any])
        if metadata is None:
            raise ModelArtefactError.bad_metadata("is absent or no JSON")
        artefact = ModelArtefact.from_metadata(metadata)
        if artefact.use_case != self.use_case:
            raise ModelArtefactError.other_use_case(artefact.use_case, self.use_case)
        predictor = Predictor.load(folder / MODEL, artefact)
        width = len(artefact.feature_order)
        example = self._read(f"{cached.folder}/{EXAMPLE}", list[list[float | None]])
        if any(len(row) != width for row in example or ()):
            raise ModelArtefactError.other_example(width)
        rows = np.array(example or [[None] * width], np.float64)
        return RegisteredModel(self.use_case, cached.version, predictor, metadata), rows

    def forget_all_but(self, kept: set[str]) -> None:
        """Removes the folders of versions that nobody serves any more."""
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name not in kept:
                for file in folder.iterdir():
                    file.unlink()
                folder.rmdir()

    def _read(self, name: str, kind: Any) -> Any:
        try:
            return msgspec.json.decode((self.folder / name).read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _write(self, name: str, content: object) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".{name}.{os.getpid()}.part"
        part.write_bytes(msgspec.json.encode(content))
        part.replace(self.folder / name)
