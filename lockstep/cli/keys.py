"""`lockstep keys`: who may ask the prediction API, and what for."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="API keys of the prediction API.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Who will use the key.")],
    scope: Annotated[
        list[str], typer.Option(help="predict, read or admin; give it once for each.")
    ],
    requests_per_second: Annotated[
        float | None, typer.Option(help="The most it may ask.", show_default="no limit")
    ] = None,
    burst: Annotated[
        int | None, typer.Option(min=1, help="The most at once.", show_default="one second's")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Expires after.", show_default="never")
    ] = None,
) -> None:
    """Make a key; it is printed once, alone on stdout, and only its digest is kept."""
    from lockstep.contract.api_keys import Scope, add_key, new_key
    from lockstep.contract.clock import SystemClock
    from serving.settings import ServingSettings

    key, text = new_key(
        name,
        Scope.named(scope),
        now=SystemClock().now(),
        requests_per_second=requests_per_second,
        burst=burst,
        days=days,
    )
    path = ServingSettings().keys_path
    add_key(path, key)
    typer.echo(text)
    typer.echo(
        f"Key {key.id} may {', '.join(sorted(key.scopes))}. It is not shown again: keep it, and "
        f"send it as X-API-Key or Authorization: Bearer. Its digest is in {path}.",
        err=True,
    )


@app.command("list")
def list_() -> None:
    """Show the keys, without their secrets."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from lockstep.contract.api_keys import NoKeyFileError, read_keys
    from lockstep.contract.clock import SystemClock
    from serving.settings import ServingSettings

    path, now = ServingSettings().keys_path, SystemClock().now()
    try:
        keys = read_keys(path)
    except NoKeyFileError:
        keys = ()
    table = Table(Column("id", no_wrap=True), "name", "scopes", "requests/s", "created", "expires")
    for key in keys:
        rate = "no limit" if key.requests_per_second is None else f"{key.requests_per_second:g}"
        expires = f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "never"
        table.add_row(
            key.id,
            escape(key.name),
            ", ".join(sorted(key.scopes)),
            rate,
            f"{key.created:%Y-%m-%d}",
            f"{expires} (expired)" if key.has_expired(now) else expires,
        )
    if keys:
        Console().print(table)
    else:
        typer.echo(f"There are no keys in {path}.")


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Remove a key; running servers refuse it after a second at the latest."""
    from lockstep.contract.api_keys import revoke_key
    from serving.settings import ServingSettings

    key = revoke_key(ServingSettings().keys_path, key_id)
    typer.echo(f"Key {key.id} of {key.name} is revoked.")
