"""Receipts of ingests and builds that account for rows which are erased: they say so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.lake import Lake
from lockstep.parity.erasure.journal import read_json
from lockstep.windows.spec import WindowSpec

ERASED = "erased"
_INGESTS = "ingests"


def mark_receipts(lake: Lake, spec: IngestSpec, windows: Sequence[WindowSpec], id: str) -> None:
    """Adds the erasure's id to each receipt that was written before it; their counts stay."""
    for name in (*(table.name for table in spec.tables), spec.rejected):
        table = lake.table(name)
        metadata = table.metadata()
        if receipts := metadata.get(_INGESTS):
            told = {key: _marked(receipt, id) for key, receipt in receipts.items()}
            table.write_metadata({**metadata, _INGESTS: told})
    for window in windows:
        folder = lake.table(window.table).key("_receipts/")
        for key in lake.list(folder):
            if key.removeprefix(folder).removesuffix(".json") < id:
                lake.write_bytes(key, marked(read_json(lake, key), id))


def marked(receipt: dict[str, Any], id: str) -> bytes:
    """The receipt, which says that rows that it accounts for are erased."""
    return (json.dumps(_marked(receipt, id), indent=2) + "\n").encode()


def _marked(receipt: dict[str, Any], id: str) -> dict[str, Any]:
    return {**receipt, ERASED: list(dict.fromkeys([*receipt.get(ERASED, []), id]))}
