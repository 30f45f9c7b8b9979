"""`lockstep redis`: a Redis for people who have none; with REDIS_URL set there is nothing to do."""

from __future__ import annotations

import os
from typing import Annotated

import typer

app = typer.Typer(help="The embedded Redis, on 127.0.0.1 only.", no_args_is_help=True)

Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, show_default="6390", help="The port to listen on."),
]


@app.command()
def start(port: Port = None) -> None:
    """Start the embedded Redis in the background; its data stay under .lockstep/redis."""
    from lockstep.settings import EMBEDDED_REDIS_PORT, Settings
    from lockstep.stores.embedded_redis import EmbeddedRedis

    if _says_redis_url():
        return
    server = EmbeddedRedis(Settings().home_dir / "redis").start(port or EMBEDDED_REDIS_PORT)
    typer.echo(f"Redis is up at {server.url} (pid {server.pid}).")
    if port not in (None, EMBEDDED_REDIS_PORT):
        typer.echo(f"Tell the other commands: export REDIS_URL={server.url}")


@app.command()
def stop() -> None:
    """Save and stop the embedded Redis."""
    from lockstep.settings import Settings
    from lockstep.stores.embedded_redis import EmbeddedRedis

    server = EmbeddedRedis(Settings().home_dir / "redis").stop()
    if server is None:
        typer.echo("The embedded Redis was not running.")
    else:
        typer.echo(f"Redis at {server.url} (pid {server.pid}) has saved and stopped.")


@app.command()
def status() -> None:
    """Say which Redis is used, and whether it answers; exit code 2 when it does not."""
    from lockstep.settings import Settings
    from lockstep.stores.embedded_redis import EmbeddedRedis
    from lockstep.stores.redis_address import RedisAddress
    from lockstep.stores.redis_errors import redis_errors
    from lockstep.stores.redis_servers import RedisServers
    from lockstep.stores.redis_wire import packed

    settings = Settings()
    server = None
    if not _says_redis_url():
        server = EmbeddedRedis(settings.home_dir / "redis").running()
    url = server.url if server else settings.redis_url
    with redis_errors(url):
        keys = sum(RedisServers(RedisAddress.of(url)).ask_each(packed("DBSIZE")))
    typer.echo(
        f"It answers and holds {keys:,} keys."
        if server is None
        else (f"Redis is up at {url} (pid {server.pid}) and holds {keys:,} keys.")
    )


def _says_redis_url() -> bool:
    from lockstep.stores.errors import without_password

    url = os.environ.get("REDIS_URL")
    if url:
        typer.echo(f"REDIS_URL is set: {without_password(url)} is used, nothing is started.")
    return bool(url)
