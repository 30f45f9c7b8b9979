"""The features: are they fresh and there, did the jobs run, what came in."""

from __future__ import annotations

from boards.board import Board, Panel, Row

FEATURES = Board(
    uid="lockstep-features",
    title="Lockstep: features",
    description="Are the features fresh and there, did the jobs run, and what came in?",
    rows=[
        Row(
            "Are the features fresh?",
            [
                Panel(
                    "Age of a view in Redis, as a share of what it declares",
                    "How far now is past the view's horizon; from 1 on its values are STALE.",
                    "percentunit",
                    {
                        "{{use_case}} {{view}}": "use_case_view:view_age:seconds"
                        '{use_case=~"$use_case"} / on (use_case, view) '
                        "max by (use_case, view) (lockstep_view_max_age_seconds)"
                    },
                    limit=1,
                ),
                Panel(
                    "Age at which views were served, 95th percentile",
                    "How far the T of a request was past the horizon; requests may name any T.",
                    "s",
                    {
                        "{{use_case}} {{view}}": "histogram_quantile(0.95, "
                        "sum by (use_case, view, le) (rate(lockstep_feature_age_seconds_bucket"
                        '{use_case=~"$use_case"}[$__rate_interval])))'
                    },
                ),
            ],
        ),
        Row(
            "Are the values there?",
            [
                Panel(
                    "Share of served values by status, where it is not PRESENT",
                    "NOT_FOUND: nothing was ever known of the entity. EXPIRED: known too long ago.",
                    "percentunit",
                    {
                        "{{use_case}} {{status}}": "use_case_status:feature_values:share15m"
                        '{use_case=~"$use_case"}'
                    },
                ),
                Panel(
                    "The ten features that are missing most, values a second",
                    "Values whose status is not PRESENT.",
                    "short",
                    {
                        "{{feature}} {{status}}": "topk(10, sum by (feature, status) (rate("
                        'lockstep_feature_status_total{use_case=~"$use_case"}[$__rate_interval])))'
                    },
                ),
            ],
        ),
        Row(
            "Did the materialisation run?",
            [
                Panel(
                    "Time since a view was last materialised",
                    "`schedule` is how often it is to be; from half an interval more it is late.",
                    "s",
                    {
                        "{{use_case}} {{view}}": "time() - max by (use_case, view) "
                        '(lockstep_view_materialized_timestamp_seconds{use_case=~"$use_case"})',
                        "{{use_case}} schedule": "max by (use_case) "
                        '(lockstep_schedule_interval_seconds{use_case=~"$use_case"})',
                    },
                ),
                Panel(
                    "How long the last materialisation took",
                    "From its start to its row in the ledger.",
                    "s",
                    {
                        "{{use_case}} {{view}}": "max by (use_case, view) "
                        '(lockstep_view_materialized_duration_seconds{use_case=~"$use_case"})'
                    },
                ),
                Panel(
                    "Rows that the last materialisation wrote",
                    "Entities whose newest step was written to Redis.",
                    "short",
                    {
                        "{{use_case}} {{view}}": "max by (use_case, view) "
                        '(lockstep_view_materialized_rows{use_case=~"$use_case"})'
                    },
                ),
            ],
        ),
        Row(
            "Did the builds run?",
            [
                Panel(
                    "How far now is past a table's horizon",
                    "The table in the lake is exact before its horizon.",
                    "s",
                    {
                        "{{use_case}} {{table}}": "time() - max by (use_case, table) "
                        '(lockstep_table_horizon_timestamp_seconds{use_case=~"$use_case"})'
                    },
                ),
                Panel(
                    "How long the last build of a table took",
                    "By the build's own receipt.",
                    "s",
                    {
                        "{{use_case}} {{table}}": "max by (use_case, table) "
                        '(lockstep_table_build_seconds{use_case=~"$use_case"})'
                    },
                ),
                Panel(
                    "Steps that the last build of a table gave",
                    "A step is a change of a window's value.",
                    "short",
                    {
                        "{{use_case}} {{table}}": "max by (use_case, table) "
                        '(lockstep_table_steps{use_case=~"$use_case"})'
                    },
                ),
            ],
        ),
        Row(
            "What came in?",
            [
                Panel(
                    "Rows of all ingests, by what became of them",
                    "Sums over all receipts: they rise with each file.",
                    "short",
                    {
                        "{{use_case}} {{outcome}}": "max by (use_case, outcome) "
                        '(lockstep_ingest_rows{use_case=~"$use_case"})'
                    },
                ),
                Panel(
                    "Share of all rows that were rejected",
                    "They broke the declared schema and are in the side table.",
                    "percentunit",
                    {
                        "{{use_case}}": "sum by (use_case) "
                        '(lockstep_ingest_rows{use_case=~"$use_case", outcome="rejected"}) / '
                        'sum by (use_case) (lockstep_ingest_rows{use_case=~"$use_case", '
                        'outcome=~"accepted|already_there|rejected"})'
                    },
                    limit=0.05,
                ),
            ],
        ),
    ],
)
