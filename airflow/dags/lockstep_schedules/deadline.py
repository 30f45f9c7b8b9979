"""What happens when a run is not done in time: an error in the log, and an alert."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback

log = logging.getLogger(__name__)


def done_within(minutes: int) -> DeadlineAlert:
    """The deadline of every run, counted from when it was queued.

    Not from its data interval: hours that are caught up on are old, and not late for it.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=SyncCallback(tell_late),
    )


def tell_late(context: dict[str, Any]) -> None:
    """Logs which run is late, and posts it to the Alertmanager at LOCKSTEP_ALERTS_URL, if set.

    Raises:
        httpx.HTTPError: it cannot be posted; Airflow marks the callback as failed.
    """
    import httpx

    run = context["dag_run"]
    late = f"{run['dag_id']} of {run['data_interval_start']} is not done in time"
    log.error("%s: run %s is %s", late, run["dag_run_id"], run["state"])
    if url := os.environ.get("LOCKSTEP_ALERTS_URL", "").rstrip("/"):
        labels = {"alertname": "ScheduleLate", "severity": "ticket", "dag": run["dag_id"]}
        told = {"summary": late, "runbook_url": "docs/runbooks.md#schedulelate"}
        alert = {"labels": labels, "annotations": told}
        httpx.post(f"{url}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()
