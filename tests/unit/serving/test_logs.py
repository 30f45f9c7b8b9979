"""Logs tell what failed, not what the variables held."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from serving.logs import configure_logs


@pytest.fixture(autouse=True)
def other_tests_log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def test_a_logged_error_has_its_frames_but_no_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs()
    password = "hunter" + "2"
    try:
        raise ValueError(f"no entry, {len(password)} letters")
    except ValueError as error:
        structlog.get_logger().warning("refused", exc_info=error)
    text = capsys.readouterr().err
    entry = json.loads(text)
    assert entry["exception"][0]["exc_value"] == "no entry, 7 letters"
    assert entry["exception"][0]["frames"]
    assert password not in text
