"""What the online store itself says of the last materialisation: a store that was emptied says
nothing.

    lockstep:materialized:<project>:<view> -> {"row": key in the ledger, "run": ..., "rows": n}
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from feast import FeatureView, RepoConfig

from lockstep.lake.lake import Lake
from lockstep.stores.lake_errors import lake_errors
from lockstep.stores.ledger import LedgerRow, read_row

if TYPE_CHECKING:
    from lockstep.stores.online import LockstepOnlineStore


class Marks:
    """The marks of one view; they are lost together with the rows that they speak of."""

    def __init__(self, store: LockstepOnlineStore, config: RepoConfig, view: FeatureView) -> None:
        self._store, self._config, self._view = store, config, view
        self._held: dict[str, Any] = json.loads(store.mark(config, view) or "{}")

    def past(self, lake: Lake) -> LedgerRow | None:
        """The last materialisation that came to its end here, if the ledger has it.

        Raises:
            SourceError: the lake cannot be reached.
        """
        key = self._held.get("row")
        with lake_errors():
            return read_row(lake, key) if key else None

    def written_of(self, run: str) -> int:
        """How many rows of that run, which broke off, have been written."""
        return int(self._held["rows"]) if self._held.get("run") == run else 0

    def wrote(self, run: str, rows: int) -> None:
        """Notes that the first so many rows of the run are written.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        self._set(self._held | {"run": run, "rows": rows})

    def finished(self, row: LedgerRow) -> None:
        """Notes that the run of that ledger row is complete.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        self._set({"row": row.key})

    def _set(self, held: dict[str, Any]) -> None:
        self._store.set_mark(self._config, self._view, json.dumps(held))
        self._held = held
