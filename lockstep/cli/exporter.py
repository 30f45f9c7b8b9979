"""`lockstep exporter`: what the jobs leave behind, for Prometheus."""

from __future__ import annotations

from typing import Annotated

import typer


def exporter(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 for any.")] = 9108,
) -> None:
    """Shows horizons, materialisations, builds, audits and models at /metrics until it is stopped.

    LOCKSTEP_SCHEDULE_SECONDS says how often views are to be materialised (default 3600),
    LOCKSTEP_COLLECT_SECONDS how often it looks (15).
    """
    import os
    import signal
    import threading

    from feature_repo.discovery import feature_services, feature_views
    from feature_repo.store import repo_config
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.contract.clock import SystemClock
    from lockstep.lake.lake import Lake
    from lockstep.monitoring.collect import Watched, WatchedUseCase, collect
    from lockstep.monitoring.exporter import exporting
    from lockstep.monitoring.settings import MonitoringSettings
    from lockstep.parity.stale_budget import max_stale_share
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case, use_cases

    quiet_libraries()
    # A server that hangs would hold up what is known of all else for six minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    settings, declared, package = Settings(), MonitoringSettings(), "feature_repo.windows"
    named = use_cases(package, entry="WINDOW_SPECS")
    specs = {n: load_use_case(package, n, entry="WINDOW_SPECS").WINDOW_SPECS for n in named}
    watched = Watched(
        use_cases=[
            WatchedUseCase(n, feature_views(n), specs[n], max_stale_share(feature_services(n)))
            for n in named
        ],
        config=repo_config(settings),
        lake=Lake.at(settings.lake),
        tracking_uri=settings.tracking_uri,
        schedule_seconds=declared.schedule_seconds,
        scheduled=declared.scheduled,
    )
    clock, ended = SystemClock(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    every = declared.collect_seconds
    with exporting(
        lambda: collect(watched, clock), host=host, port=port, every_seconds=every
    ) as found:
        typer.echo(f"metrics at http://{host}:{found}/metrics")
        ended.wait()
