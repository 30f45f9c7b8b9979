"""Records of an entity in JSON and YAML: requests that came with a model, examples of an audit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.lake.lake import Lake
from lockstep.parity.erasure.place import Found

IsTheirs = Callable[[object], bool]


def without(document: Any, is_theirs: IsTheirs) -> Any:
    """The document but for the list items and values that are theirs, however deep.

    >>> without({"requests": [{"id": 1}, {"id": 2}]}, lambda item: item == {"id": 1})
    {'requests': [{'id': 2}]}
    """
    if isinstance(document, dict):
        return {n: without(v, is_theirs) for n, v in document.items() if not is_theirs(v)}
    if isinstance(document, list):
        return [without(item, is_theirs) for item in document if not is_theirs(item)]
    return document


def count(document: Any, is_theirs: IsTheirs) -> int:
    """How many of its parts are theirs, however deep.

    >>> count([{"a": [1, 2]}, 1], lambda item: item == 1)
    2
    """
    if is_theirs(document):
        return 1
    parts = document.values() if isinstance(document, dict) else document
    return sum(count(p, is_theirs) for p in parts) if isinstance(document, dict | list) else 0


@dataclass(frozen=True)
class KeptAudits:
    """Examples in the audits that the lake keeps, by the id of their request."""

    lake: Lake
    use_case: str
    requests: Sequence[str]
    name: str = "examples of audits"

    def find(self) -> Found:
        found = Found()
        for key in self._keys():
            if rows := count(json.loads(self.lake.read_bytes(key)), self._is_theirs):
                found += Found(rows, 1)
        return found

    def erase(self) -> None:
        for key in self._keys():
            told = json.loads(self.lake.read_bytes(key))
            if count(told, self._is_theirs):
                text = json.dumps(without(told, self._is_theirs), indent=2) + "\n"
                self.lake.write_bytes(key, text.encode())

    def _keys(self) -> list[str]:
        keys = self.lake.list(f"_parity/audits/{self.use_case}/")
        return [key for key in keys if key.endswith(".json")]

    def _is_theirs(self, document: object) -> bool:
        return isinstance(document, dict) and document.get("request_id") in set(self.requests)
