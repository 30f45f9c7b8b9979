"""The trials of a search, one line of JSON each: a search that was ended goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from training.errors import SearchError


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what they reached.

    `score` is the worth on the validation fold (see `Task.worth_name`), `curve` the best so far
    after each `CHECKPOINT` trees, `is_pruned` whether the fit was ended early as hopeless; then
    `score` is what it had reached.
    """

    number: int
    values: Mapping[str, float]
    score: float
    trees: int
    curve: Sequence[float]
    is_pruned: bool


class TrialLog:
    """The trials of one search in a file; `told` is what the search is about.

    Another search may not go on in its file.
    """

    @classmethod
    def in_memory(cls) -> TrialLog:
        """A log that ends with its search."""
        return cls(None, {})

    def __init__(self, path: Path | None, told: Mapping[str, object]) -> None:
        self._path = path
        self._told = json.loads(json.dumps(told, default=str, sort_keys=True))
        self.trials = self._read()

    def add(self, trial: Trial) -> None:
        """Keeps a trial; it is on disk when this returns."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a" if self.trials else "w") as file:
                lines = [asdict(trial)] if self.trials else [self._told, asdict(trial)]
                file.writelines(json.dumps(line) + "\n" for line in lines)
        self.trials.append(trial)

    def _read(self) -> list[Trial]:
        if self._path is None or not self._path.exists():
            return []
        told, *lines = self._path.read_text().splitlines(keepends=True) or [""]
        # A search that was killed may have left half a line; that trial is done again.
        whole = [line for line in lines if line.endswith("\n")]
        if len(whole) < len(lines):
            self._path.write_text("".join([told, *whole]))
        if told.endswith("\n") and json.loads(told) != self._told:
            raise SearchError.other_search(self._path)
        return [Trial(**json.loads(line)) for line in whole]
