"""`lockstep serve`: the prediction API."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    host: Annotated[
        str | None, typer.Option(help="Where to listen.", show_default="SERVING_HOST or 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, show_default="SERVING_PORT or 8000"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, show_default="SERVING_WORKERS or 1", help="Processes."),
    ] = None,
) -> None:
    """Serves predictions over HTTP until it is stopped; /docs describes the API."""
    from serving.logs import configure_logs
    from serving.server import run
    from serving.settings import ServingSettings

    configure_logs()
    given = {"host": host, "port": port, "workers": workers}
    settings = ServingSettings()
    run(settings.model_copy(update={k: v for k, v in given.items() if v is not None}))
