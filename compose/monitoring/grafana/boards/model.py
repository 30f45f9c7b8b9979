"""The models: which serve, what they decide, what they say, how the challenger does."""

from __future__ import annotations

from boards.board import Board, Panel, Row

_SCORES = (
    "histogram_quantile({}, sum by (use_case, alias, le) "
    '(rate(lockstep_score_bucket{{use_case=~"$use_case"}}[$__rate_interval])))'
)

MODEL = Board(
    uid="lockstep-model",
    title="Lockstep: model",
    description="Which models serve, what do they decide, and how does the challenger do?",
    rows=[
        Row(
            "Which models serve?",
            [
                Panel(
                    "API processes that have a version loaded",
                    "During a change two versions are loaded for a moment.",
                    "short",
                    {
                        "{{use_case}} {{alias}} v{{version}}": "sum by (use_case, alias, version) "
                        '(lockstep_model_info{use_case=~"$use_case"} == 1)'
                    },
                ),
                Panel(
                    "Version that has an alias in the registry",
                    "Where the API has another one loaded, this one was refused.",
                    "short",
                    {
                        "{{use_case}} {{alias}}": "max by (use_case, alias) "
                        '(lockstep_model_version{use_case=~"$use_case"})'
                    },
                ),
                Panel(
                    "Refusals: versions by the API, challengers by the promotion",
                    "GET /v1/models says why a version may not serve; `lockstep promote` shows why "
                    "a challenger was not promoted.",
                    "short",
                    {
                        "{{use_case}} by the API": "max by (use_case) "
                        '(lockstep_models_refused{use_case=~"$use_case"})',
                        "{{use_case}} by the promotion": "max by (use_case) "
                        '(lockstep_promotion_refused{use_case=~"$use_case"}) or 0 * max by '
                        '(use_case) (lockstep_model_version{use_case=~"$use_case"})',
                    },
                    limit=1,
                ),
            ],
        ),
        Row(
            "What do they decide?",
            [
                Panel(
                    "Share of the champion's decisions",
                    "`limit` is the share that the use case declares as possible.",
                    "percentunit",
                    {
                        "{{use_case}} {{decision}}": "use_case_decision:decisions:share15m"
                        '{use_case=~"$use_case"}',
                        "{{use_case}} {{decision}} limit": "max by (use_case, decision) "
                        '(lockstep_decision_share_limit{use_case=~"$use_case"})',
                    },
                ),
                Panel(
                    "Decisions a second, by alias",
                    "The challenger decides beside the answer, and nobody is told.",
                    "short",
                    {
                        "{{use_case}} {{alias}} {{decision}}": "sum by (use_case, alias, decision) "
                        '(rate(lockstep_decisions_total{use_case=~"$use_case"}[$__rate_interval]))'
                    },
                ),
            ],
        ),
        Row(
            "What do they say?",
            [
                Panel(
                    "Median and 95th percentile of the scores",
                    "Probabilities, or estimates in their own unit, as fine as the buckets are.",
                    "short",
                    {
                        "{{use_case}} {{alias}} median": _SCORES.format(0.5),
                        "{{use_case}} {{alias}} 95 %": _SCORES.format(0.95),
                    },
                ),
                Panel(
                    "Mean score",
                    "Where it moves and the events do not, look at the features first.",
                    "short",
                    {
                        "{{use_case}} {{alias}}": "sum by (use_case, alias) "
                        '(rate(lockstep_score_sum{use_case=~"$use_case"}[$__rate_interval])) / '
                        "sum by (use_case, alias) "
                        '(rate(lockstep_score_count{use_case=~"$use_case"}[$__rate_interval]))'
                    },
                ),
                Panel(
                    "Rows a second that the challenger left out",
                    "It was busy; its figures are then of a part of the events.",
                    "short",
                    {
                        "{{use_case}}": "sum by (use_case) "
                        '(rate(lockstep_shadow_skipped_total{use_case=~"$use_case"}'
                        "[$__rate_interval])) or "
                        '0 * use_case:champions:loaded{use_case=~"$use_case"}'
                    },
                ),
            ],
        ),
    ],
)
