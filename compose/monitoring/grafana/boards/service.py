"""The API: how much it is asked, whether the objective is kept, how long it takes."""

from __future__ import annotations

from boards.board import Board, Panel, Row

_P99 = (
    "histogram_quantile(0.99, sum by (use_case, le) "
    '(rate({}_bucket{{use_case=~"$use_case"}}[$__rate_interval])))'
)

SERVICE = Board(
    uid="lockstep-service",
    title="Lockstep: service",
    description="Does the API answer, is its objective kept, and what takes the time?",
    rows=[
        Row(
            "How much is asked, and what is answered?",
            [
                Panel(
                    "Predictions a second, by use case",
                    "Requests for one event and for batches; a batch is one request.",
                    "reqps",
                    {
                        "{{use_case}} {{path}}": "sum by (use_case, path) "
                        '(use_case_path_status:predictions:rate5m{use_case=~"$use_case"})'
                    },
                ),
                Panel(
                    "Predictions a second, by class of HTTP status",
                    "4xx are requests that a caller has to mend, 5xx are ours.",
                    "reqps",
                    {
                        "{{status}}": "sum by (status) "
                        '(use_case_path_status:predictions:rate5m{use_case=~"$use_case"})'
                    },
                ),
            ],
        ),
        Row(
            "Is the objective kept: 99.9 % without a 5xx?",
            [
                Panel(
                    "Share of predictions that failed in 5 minutes",
                    "Answers with 5xx; the line is what the objective allows over 30 days.",
                    "percentunit",
                    {"{{use_case}}": 'use_case:prediction_failures:share5m{use_case=~"$use_case"}'},
                    limit=0.001,
                ),
                Panel(
                    "How many times too fast the error budget is spent",
                    "1 spends a month's budget in a month. From 14.4 over an hour, or 6 over six "
                    "hours, somebody is paged.",
                    "short",
                    {
                        "{{use_case}}, 1 h": "use_case:prediction_failures:share1h"
                        '{use_case=~"$use_case"} / 0.001',
                        "{{use_case}}, 6 h": "use_case:prediction_failures:share6h"
                        '{use_case=~"$use_case"} / 0.001',
                    },
                    limit=6,
                ),
            ],
        ),
        Row(
            "How long does it take, and where?",
            [
                Panel(
                    "99th percentile of the time for an answer",
                    "The goal is 10 ms for one event (the line) and 30 ms for a batch.",
                    "s",
                    {
                        "{{use_case}} {{path}}": "use_case_path:prediction_seconds:p99_5m"
                        '{use_case=~"$use_case"}'
                    },
                    limit=0.01,
                ),
                Panel(
                    "99th percentile of one read from Redis, and of the model",
                    "For one batch of requests that waited together.",
                    "s",
                    {
                        "{{use_case}} Redis": _P99.format("lockstep_redis_seconds"),
                        "{{use_case}} model": _P99.format("lockstep_model_seconds"),
                    },
                ),
                Panel(
                    "Requests that are scored together, on average",
                    "Grows with the load: what comes during a batch waits for the next one.",
                    "short",
                    {
                        "{{use_case}}": "sum by (use_case) "
                        '(rate(lockstep_batch_rows_sum{use_case=~"$use_case"}[$__rate_interval]))'
                        " / sum by (use_case) "
                        '(rate(lockstep_batch_rows_count{use_case=~"$use_case"}[$__rate_interval]))'
                    },
                ),
            ],
        ),
        Row(
            "What else is asked?",
            [
                Panel(
                    "Other requests a second, by path and class of HTTP status",
                    "Health, models, explanations and metrics are of all use cases; `none` is a "
                    "path that does not exist.",
                    "reqps",
                    {
                        "{{handler}} {{status}}": "sum by (handler, status) (rate("
                        'http_requests_total{handler!~"/v1/[^/]+/predict(/batch)?"}'
                        "[$__rate_interval]))"
                    },
                ),
                Panel(
                    "Rows of the feature log, by what became of them",
                    "Dropped rows were not written in time and are gone; `queued` waits now.",
                    "short",
                    {"{{state}}": "sum by (state) (lockstep_feature_log_rows)"},
                ),
            ],
        ),
    ],
)
