"""The engines of builds in turn, for the suites that each must pass."""

from __future__ import annotations

import pytest
from runners import ENGINES, Engine


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest, spark: object) -> Engine:
    return ENGINES[request.param]
