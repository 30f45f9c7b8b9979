"""Row `predict_p99_1000rps`: latency at a thousand requests a second, whoever still waits."""

from __future__ import annotations

import json
import subprocess
from statistics import median

from benchmarks.row import Goal, Measurement
from benchmarks.serving_project import PREDICT, T, ours, project

RATE = 1_000
SECONDS = 20
RUNS = 3
_SCRIPT = """
import http from "k6/http";
import exec from "k6/execution";
export const options = {{
  discardResponseBodies: true,
  summaryTrendStats: ["p(50)", "p(99)", "max"],
  scenarios: {{ open: {{
    executor: "constant-arrival-rate", rate: {rate}, timeUnit: "1s", duration: "{seconds}s",
    preAllocatedVUs: 50, maxVUs: 500,
  }} }},
}};
const headers = {{ "Content-Type": "application/json", "X-API-Key": "{key}" }};
export default function () {{
  const n = exec.scenario.iterationInTest;
  http.post("http://127.0.0.1:{port}{path}", JSON.stringify({{
    customer_id: n * 7919 % 5000, terminal_id: n * 104729 % 10000,
    amount_cents: n * 31 % 20000, event_timestamp: "{t}",
  }}), {{ headers }});
}}
"""


def measure() -> Measurement:
    """k6's open model: a request that is late does not hold back the next one."""
    made = project()
    found = []
    with ours(made) as server:
        script = made.folder / "open.js"
        script.write_text(
            _SCRIPT.format(
                rate=RATE, seconds=SECONDS, key=made.key, port=server.port, path=PREDICT, t=T
            )
        )
        for _ in range(RUNS):
            told = made.folder / "k6.json"
            command = ["k6", "run", "--quiet", "--summary-export", str(told), str(script)]
            subprocess.run(command, check=True, capture_output=True)
            found.append(json.loads(told.read_text())["metrics"])
    p99 = median(run["http_req_duration"]["p(99)"] for run in found)
    return Measurement(
        name="predict_p99_1000rps",
        ours=p99,
        unit="ms",
        rows=RATE * SECONDS,
        goals=(Goal("ours", "<=", 10), Goal("failed_share", "<=", 0)),
        extra={
            "p50_ms": median(run["http_req_duration"]["p(50)"] for run in found),
            "failed_share": max(run["http_req_failed"]["value"] for run in found),
            "dropped": max(run.get("dropped_iterations", {}).get("count", 0) for run in found),
            "rate": median(run["http_reqs"]["rate"] for run in found),
        },
    )
