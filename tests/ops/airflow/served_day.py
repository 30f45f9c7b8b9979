"""A day of the API's log, as it would have been written by an API with a fresh store."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from schedule_project import ScheduleProject

from feature_repo.store import open_feature_store
from lockstep.contract.status import FeatureStatus
from lockstep.parity.service_views import ServiceViews
from lockstep.stores.feature_vectors import NO_TIME
from lockstep.stores.fingerprint import service_fingerprint
from lockstep.windows.microseconds import microseconds
from serving.log_writer import LogWriter
from serving.served_rows import LoggedFeature, LogSchema, ServedRows

SERVICE = "fraud_v1"
ROWS = 40


def log_day(project: ScheduleProject, day: date, *, add: int = 0) -> None:
    """Logs vectors of the day's transactions at their T; `add` is added to one value."""
    store = open_feature_store(project.settings)
    views = ServiceViews.of(store, SERVICE)
    asked = project.lake.table("fraud/transactions").read_day(day).head(ROWS)
    t = pl.col("event_timestamp")
    entities = asked.select(
        "customer_id",
        "terminal_id",
        "amount_cents",
        t.to_physical().alias("transaction_time_us"),
        t,
    )
    job = store.get_historical_features(
        entity_df=entities.to_arrow(), features=views.service, full_feature_names=True
    )
    joined = pl.DataFrame(job.with_statuses().with_times().to_arrow())
    columns = [column for view in views.listed for column in view.columns]
    features = [
        LoggedFeature(
            c.partition("__")[2], c, "Int64" if joined[c].dtype == pl.Int64 else "Float64"
        )
        for c in columns
    ]
    values = joined.select(pl.col(columns).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    values = values.copy()
    values[0, 0] += add
    statuses = [
        joined[f"{c}__status"].cast(pl.String)
        if f"{c}__status" in joined.columns
        else pl.select(
            pl.when(joined[c].is_null()).then(pl.lit("NULL")).otherwise(pl.lit("PRESENT"))
        ).to_series()
        for c in columns
    ]
    names = [status.value for status in FeatureStatus]
    steps = [f"{view.name}__event_timestamp" for view in views.listed for _ in view.columns]
    event_us = [
        joined[s].to_physical().fill_null(NO_TIME).to_numpy()
        if s in joined.columns
        else np.full(len(joined), NO_TIME)
        for s in steps
    ]
    logged = ServedRows(
        schema=LogSchema(
            "fraud",
            SERVICE,
            ("customer_id", "terminal_id"),
            ("amount_cents", "transaction_time_us"),
            tuple(features),
        ),
        model_name="fraud",
        model_version=1,
        alias="champion",
        fingerprint=service_fingerprint(
            views.service, lambda n: store.registry.get_any_feature_view(n, store.project)
        ),
        threshold=0.5,
        request_ids=[str(number) for number in range(len(joined))],
        t_us=entities["transaction_time_us"].to_list(),
        logged_us=microseconds(entities["event_timestamp"].max()),
        entity_ids={k: entities[k].to_list() for k in ("customer_id", "terminal_id")},
        request_values={k: entities[k].to_list() for k in ("amount_cents", "transaction_time_us")},
        values=values,
        codes=np.column_stack([[names.index(one) for one in status] for status in statuses]).astype(
            np.uint8
        ),
        ages=np.zeros(values.shape),
        event_us=np.column_stack(event_us),
        scores=np.zeros(len(joined)),
        decisions=["allow"] * len(joined),
    )
    writer = LogWriter(project.lake)
    assert writer.add([logged]) == 0
    writer.write()
