"""The objects of each overlay; a test changes its own copy."""

from __future__ import annotations

from typing import Any

import pytest
from k8s_manifests import OVERLAYS, objects_of


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """What an overlay builds."""
    return objects_of(request.param)


@pytest.fixture
def local() -> list[dict[str, Any]]:
    """What the overlay for one node builds."""
    return objects_of("local")


@pytest.fixture
def production() -> list[dict[str, Any]]:
    """What the overlay for production builds."""
    return objects_of("production")
