"""`lockstep compile`: the definitions as a server reads them, for the build of an image."""

from __future__ import annotations

import typer


def compile_definitions() -> None:
    """Writes the serving plan: what to read, what to call, and the definitions' fingerprints."""
    from lockstep.cli.quiet import quiet_libraries

    quiet_libraries()
    from serving.plan_compiler import serving_plan
    from serving.settings import ServingSettings

    settings = ServingSettings()
    plan = serving_plan(settings)
    plan.write(settings.plan_path)
    for services in plan.use_cases.values():
        for service in services.values():
            typer.echo(f"{service.name}  {service.fingerprint}")
    typer.echo(f"written to {settings.plan_path}")
