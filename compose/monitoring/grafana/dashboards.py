"""Writes dashboards/*.json from boards/: `python compose/monitoring/grafana/dashboards.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from boards.features import FEATURES
from boards.infrastructure import INFRASTRUCTURE
from boards.model import MODEL
from boards.service import SERVICE
from grafana_foundation_sdk.cog.encoder import JSONEncoder

BOARDS = (SERVICE, FEATURES, MODEL, INFRASTRUCTURE)
FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> Mapping[str, str]:
    """The text of each file by its name."""
    return {
        f"{board.uid}.json": json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True)
        + "\n"
        for board in BOARDS
    }


if __name__ == "__main__":
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text)
