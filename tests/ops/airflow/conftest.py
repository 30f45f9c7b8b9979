"""One Airflow for all tests of a worker process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from airflow_process import Airflow, airflow_process


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow in its own environment, which is made if it is not there."""
    with airflow_process(tmp_path_factory.mktemp("airflow")) as process:
        yield process
