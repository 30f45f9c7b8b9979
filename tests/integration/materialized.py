"""What a materialisation left: values in Redis, the horizon and the watermark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from feast import FeatureStore
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast_project import REFS


def online(store: FeatureStore, customers: Sequence[int], ref: str = REFS[0]) -> dict[str, Any]:
    """The values of one feature and their statuses, as an online read gives them."""
    rows = [{"customer_id": customer} for customer in customers]
    *_, feature = store.get_online_features([ref], rows).proto.results
    return {
        "values": [v.int64_val if v.WhichOneof("val") else None for v in feature.values],
        "statuses": [FieldStatus.Name(status) for status in feature.statuses],
    }


def horizon(store: FeatureStore, view: str = "customer_windows") -> datetime | None:
    """The instant before which Redis holds the whole view, as the online store keeps it."""
    held: datetime | None = store._get_provider().online_store.horizon(
        store.config, store.get_feature_view(view)
    )
    return held


def watermark(store: FeatureStore, view: str = "customer_windows") -> datetime | None:
    """The newest END that Feast's registry has of the view."""
    at: datetime | None = store.get_feature_view(view).most_recent_end_time
    return at
