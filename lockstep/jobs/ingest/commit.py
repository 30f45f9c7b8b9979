"""The instant at which an ingest happens, and what has to follow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from typing import Any

from lockstep.jobs.ingest.engine import Engine, Progress
from lockstep.jobs.ingest.merge import day_merges, merge_days
from lockstep.jobs.ingest.receipt import IngestReceipt, record
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.lake import Lake
from lockstep.lake.stage import Stage


@dataclass(frozen=True)
class Commit:
    """What was staged: the receipt, and the number of facts by table and day."""

    receipt: IngestReceipt
    facts: Counter[tuple[str, date]]

    @classmethod
    def of_account(cls, account: Mapping[str, Any]) -> Commit:
        """What `account` had said."""
        facts = {(table, date.fromisoformat(day)): n for table, day, n in account["facts"]}
        return cls(IngestReceipt(**account["receipt"]), Counter(facts))

    def account(self) -> dict[str, Any]:
        """The commit as JSON has it."""
        facts = [[table, str(day), rows] for (table, day), rows in sorted(self.facts.items())]
        return {"receipt": asdict(self.receipt), "facts": facts}


def complete(
    commit: Commit, stage: Stage, *, spec: IngestSpec, engine: Engine, progress: Progress
) -> None:
    """Merges the staged facts into their days, table after table.

    Raises:
        LakeError: a partition cannot be read; the next ingest tries again.
    """
    merges = [
        merge
        for table in spec.tables
        for merge in day_merges(
            table.name, {day: n for (name, day), n in commit.facts.items() if name == table.name}
        )
    ]
    merged = engine.each(partial(merge_days, stage=stage, spec=spec), merges)
    for done, (merge, _) in enumerate(zip(merges, merged, strict=True), start=1):
        progress(f"{merge.table}: {merge.last}", done / len(merges))


def finish_left_over(lake: Lake, spec: IngestSpec, *, engine: Engine, progress: Progress) -> None:
    """Brings interrupted ingests to their end: committed ones are completed, others dropped."""
    for stage in Stage.left_over(lake, spec.use_case):
        if account := stage.account():
            commit = Commit.of_account(account)
            progress(f"completing the ingest of {commit.receipt.source_file}", 0.0)
            complete(commit, stage, spec=spec, engine=engine, progress=progress)
            record(commit.receipt, lake, spec)
        stage.drop()
