"""Where the log of what was served is in the lake, and what its columns are called.

    <lake>/fraud/served_features/fraud_v1/day=2026-11-22/<unique>.parquet
    <lake>/fraud/predictions/day=2026-11-22/<unique>.parquet

Days are those of the log time, UTC. Features are in Feast's logging schema, one folder a
service; predictions are in one schema for all services of a use case. Both are joined by
request id: a request has its features once, and a prediction for each model that answered.
"""

from __future__ import annotations

FEATURES, PREDICTIONS = "served_features", "predictions"
DAY = "day="

# Columns of the features, as Feast calls them.
FEATURES_REQUEST_ID, LOG_TIMESTAMP, LOG_DATE = "__request_id", "__log_timestamp", "__log_date"
# Columns of the predictions: T, and when it was answered.
REQUEST_ID, EVENT_TIMESTAMP, LOGGED_AT = "request_id", "event_timestamp", "logged_at"


def features_folder(use_case: str, service: str) -> str:
    """The folder of the features that one service served.

    >>> features_folder("fraud", "fraud_v1")
    'fraud/served_features/fraud_v1'
    """
    return f"{use_case}/{FEATURES}/{service}"


def predictions_folder(use_case: str) -> str:
    """The folder of the predictions of all services of a use case.

    >>> predictions_folder("fraud")
    'fraud/predictions'
    """
    return f"{use_case}/{PREDICTIONS}"
