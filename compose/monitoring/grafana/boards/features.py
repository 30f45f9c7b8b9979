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
            "Is it what training would have seen?",
            [
                Panel(
                    "Vectors of the last audit that differ, by cause",
                    "Late, expired or not yet materialised: the store was behind. Others: faults.",
                    "short",
                    {
                        "{{use_case}} {{cause}}": "max by (use_case, cause) "
                        '(lockstep_parity_vectors{use_case=~"$use_case", cause!="match"})',
                        "{{use_case}} not checked": "max by (use_case) "
                        '(lockstep_parity_unchecked{use_case=~"$use_case"})',
                    },
                ),
                Panel(
                    "Share of the compared vectors that were stale",
                    "Right by the ledger, and behind the lake.",
                    "percentunit",
                    {
                        "{{use_case}}": "max by (use_case) "
                        '(lockstep_parity_stale_share{use_case=~"$use_case"})'
                    },
                ),
                Panel(
                    "Vectors of the last minutes, by cause",
                    "Where `lockstep audit --watch` runs: a sample of what is served now.",
                    "short",
                    {
                        "{{use_case}} {{cause}}": "max by (use_case, cause) "
                        '(lockstep_parity_live_vectors{use_case=~"$use_case"})',
                        "{{use_case}} not yet compared": "max by (use_case) "
                        '(lockstep_parity_live_unchecked{use_case=~"$use_case"})',
                    },
                ),
                Panel(
                    "Values looked up in SQL over raw events",
                    "By the last audit; none may be otherwise there.",
                    "short",
                    {
                        "{{use_case}} looked up": "max by (use_case) "
                        '(lockstep_parity_sql_values{use_case=~"$use_case"})',
                        "{{use_case}} otherwise": "max by (use_case) "
                        '(lockstep_parity_sql_mismatches{use_case=~"$use_case"})',
                    },
                ),
                Panel(
                    "Time since the last audit and look",
                    "An audit is alerted on from two days on, a watch from five minutes on.",
                    "s",
                    {
                        "{{use_case}} audit": "time() - max by (use_case) "
                        '(lockstep_parity_audited_timestamp_seconds{use_case=~"$use_case"})',
                        "{{use_case}} watch": "time() - max by (use_case) "
                        '(lockstep_parity_live_timestamp_seconds{use_case=~"$use_case"})',
                    },
                ),
            ],
        ),
        Row(
            "Is what is served still like the training?",
            [
                Panel(
                    "Population stability index",
                    "By the last look; limits are declared with the views, 0.25 where none is.",
                    "short",
                    {
                        "{{use_case}} {{feature}}": "max by (use_case, feature) "
                        '(lockstep_drift_psi{use_case=~"$use_case"})',
                        "{{use_case}} over a limit": "max by (use_case) "
                        '(lockstep_drift_exceeded{use_case=~"$use_case"})',
                        "{{use_case}} not judged": "max by (use_case) "
                        '(lockstep_drift_unjudged{use_case=~"$use_case"})',
                    },
                ),
                Panel(
                    "Kolmogorov-Smirnov distance, and nulls",
                    "Of the distribution functions; the share of served rows that are null.",
                    "percentunit",
                    {
                        "{{use_case}} {{feature}}": "max by (use_case, feature) "
                        '(lockstep_drift_ks{use_case=~"$use_case"})',
                        "{{use_case}} {{feature}} null": "max by (use_case, feature) "
                        '(lockstep_drift_null_share{use_case=~"$use_case"})',
                    },
                ),
                Panel(
                    "Rows a day, of those at training",
                    "1 is as many as there were when the model was trained.",
                    "percentunit",
                    {
                        "{{use_case}}": "max by (use_case) "
                        '(lockstep_drift_volume{use_case=~"$use_case"})'
                    },
                ),
                Panel(
                    "Time since drift was looked for",
                    "From two days on it is alerted on.",
                    "s",
                    {
                        "{{use_case}}": "time() - max by (use_case) "
                        '(lockstep_drift_timestamp_seconds{use_case=~"$use_case"})'
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
