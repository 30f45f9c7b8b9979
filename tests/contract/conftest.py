"""One lake a kind of place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.lake.lake import Lake


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake; its URI says nothing to the tests."""
    if request.param == "s3":
        return Lake.at(request.getfixturevalue("s3_uri"))
    return Lake.at(tmp_path / "lake")
