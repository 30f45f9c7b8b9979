"""What the platform stands on: parts and processes, Redis, the cluster."""

from __future__ import annotations

from boards.board import Board, Panel, Row

# Without a cluster there is no label namespace; in one, only ours is looked at.
_OURS = 'namespace=~"(lockstep.*)?"'

INFRASTRUCTURE = Board(
    uid="lockstep-infrastructure",
    title="Lockstep: infrastructure",
    description="Does everything answer, how is Redis, and how far can the cluster grow?",
    by_use_case=False,
    rows=[
        Row(
            "Does everything answer?",
            [
                Panel(
                    "Parts that answer the exporter (1) or do not (0)",
                    "Redis, the lake and the registry of models.",
                    "short",
                    {"{{part}}": "min by (part) (lockstep_up)"},
                ),
                Panel(
                    "Processes that can be scraped, by job",
                    "What cannot be scraped tells nothing, and alerts nobody.",
                    "short",
                    {"{{job}}": f"sum by (job) (up{{{_OURS}}})"},
                ),
                Panel(
                    "Time since the exporter last looked",
                    "It looks every 15 s; from 5 minutes on somebody is paged.",
                    "s",
                    {"exporter": "time() - max(lockstep_collected_timestamp_seconds)"},
                    limit=300,
                ),
                Panel(
                    "Memory of the processes, by job",
                    "An API with several workers shows no memory of its own: see the cluster's.",
                    "bytes",
                    {"{{job}}": f"sum by (job) (process_resident_memory_bytes{{{_OURS}}})"},
                ),
            ],
        ),
        Row(
            "How is Redis?",
            [
                Panel(
                    "Memory that Redis uses, and may use",
                    "At its maximum it refuses writes, or loses features where it evicts.",
                    "bytes",
                    {
                        "used": f"sum(redis_memory_used_bytes{{{_OURS}}})",
                        "maximum": f"sum(redis_memory_max_bytes{{{_OURS}}})",
                    },
                ),
                Panel(
                    "Commands a second",
                    "A batch of predictions is one round trip of several commands.",
                    "ops",
                    {
                        "commands": "sum(rate(redis_commands_processed_total"
                        f"{{{_OURS}}}[$__rate_interval]))"
                    },
                ),
                Panel(
                    "Keys a second that were evicted",
                    "None may be: an evicted entity is served as NOT_FOUND.",
                    "short",
                    {
                        "evicted": "sum(rate(redis_evicted_keys_total"
                        f"{{{_OURS}}}[$__rate_interval]))"
                    },
                    limit=0.001,
                ),
                Panel(
                    "Clients that are connected",
                    "API processes, jobs and the exporter.",
                    "short",
                    {"clients": f"sum(redis_connected_clients{{{_OURS}}})"},
                ),
            ],
        ),
        Row(
            "How far can the cluster grow?",
            [
                Panel(
                    "Replicas, as a share of what the autoscaler allows",
                    "At 1 it cannot grow any more.",
                    "percentunit",
                    {"{{deployment}}": "namespace_deployment:hpa:share_of_maximum"},
                    limit=1,
                ),
                Panel(
                    "CPU in use, as a share of what is requested",
                    "At the maximum of replicas and above 80 % somebody is paged.",
                    "percentunit",
                    {"{{deployment}}": "namespace_deployment:cpu:share5m"},
                    limit=0.8,
                ),
                Panel(
                    "Memory of the containers",
                    "The working set, which is what a limit is held against.",
                    "bytes",
                    {
                        "{{pod}} {{container}}": "sum by (pod, container) "
                        '(container_memory_working_set_bytes{container!="", '
                        'namespace=~"lockstep.*"})'
                    },
                ),
                Panel(
                    "Restarts of containers in an hour",
                    "A container that ends again and again has its reason in its log.",
                    "short",
                    {
                        "{{pod}} {{container}}": "sum by (pod, container) (increase("
                        'kube_pod_container_status_restarts_total{namespace=~"lockstep.*"}[1h]))'
                    },
                ),
            ],
        ),
    ],
)
