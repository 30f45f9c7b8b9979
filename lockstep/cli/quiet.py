"""What libraries tell their callers' developers has no reader on a terminal."""

from __future__ import annotations


def quiet_libraries() -> None:
    """Feast and MLflow turn deprecation warnings on; here they go where nobody looks."""
    import logging

    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    logging.getLogger("hyperopt").setLevel(logging.ERROR)
