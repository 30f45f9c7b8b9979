"""The rules for facts once more, one row after another, with plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Row(NamedTuple):
    """A row of a file: hours since the start, whole units, and whether it takes the id back."""

    id: int
    event: int
    created: int
    amount: int
    fraud: int
    deleted: int = 0

    @property
    def values(self) -> tuple[int, int, int]:
        """What a correction changes."""
        return self.event, self.amount, self.fraud


class Fact(NamedTuple):
    """What the lake holds: a row, or its being taken back."""

    created: int
    deleted: bool
    values: tuple[int, int, int]


@dataclass
class Oracle:
    """A lake by the rules: the facts of each id in their order."""

    facts: dict[int, list[Fact]] = field(default_factory=dict)

    def ingest(self, rows: Sequence[Row]) -> list[str]:
        """Takes a file with created times; what became of each row, in the file's order."""
        outcomes = [""] * len(rows)
        seen: set[tuple[int, int, int]] = set()
        order = sorted(range(len(rows)), key=lambda n: (rows[n].created, -rows[n].deleted, n))
        before = {id_: list(facts) for id_, facts in self.facts.items()}
        last: dict[int, str] = {}
        for n in sorted(range(len(rows))):
            fact = (rows[n].id, rows[n].created, rows[n].deleted)
            if fact in seen:
                outcomes[n] = "duplicate_id"
            seen.add(fact)
        for n in order:
            if not outcomes[n]:
                outcomes[n] = self._take(rows[n], before.get(rows[n].id, []), last)
        return outcomes

    def _take(self, row: Row, stored: list[Fact], last: dict[int, str]) -> str:
        """`stored` is what the id had before the file, `last` whether a row came from it."""
        like = [f for f in stored if (f.created, f.deleted) == (row.created, bool(row.deleted))]
        if like:
            return "there" if row.deleted or like[0].values == row.values else "conflicting_id"
        newest = max((f.created for f in stored), default=-1)
        if row.created < newest:
            return "older_than_stored"
        if row.created == newest and row.deleted:
            return "conflicting_id"
        return self._append(row, last)

    def _append(self, row: Row, last: dict[int, str]) -> str:
        facts = self.facts.setdefault(row.id, [])
        live = facts[-1] if facts and not facts[-1].deleted else None
        from_file, last[row.id] = last.get(row.id) == "file", "file"
        if row.deleted:
            if live is None:
                return "nothing_to_delete"
            facts.append(Fact(row.created, True, live.values))
            return "deleted"
        if live is not None and live.values == row.values:
            return "duplicate_id" if from_file else "there"
        if live is not None:
            facts.append(Fact(row.created, True, live.values))
        facts.append(Fact(row.created, False, row.values))
        return "inserted" if live is None else "corrected"
