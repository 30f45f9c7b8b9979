"""`lockstep gate`: may this be deployed, by what the last audits found?"""

from __future__ import annotations

from typing import Annotated

import typer

_REFUSED = 1


def gate(
    use_cases: Annotated[
        list[str] | None, typer.Argument(help="Such as 'fraud'.", show_default="all")
    ] = None,
) -> None:
    """Looks at the last audit of each of USE_CASES; exits with 1 where one forbids a release.

    That is where vectors differ without a cause or by a fault, SQL says otherwise, more is stale
    than the services allow, or nothing could be compared. No audit forbids nothing.
    """
    from lockstep.cli.quiet import quiet_libraries

    quiet_libraries()
    from feature_repo.discovery import feature_services
    from lockstep.lake.lake import Lake
    from lockstep.parity.gate import parity_refusal
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case
    from lockstep.use_cases import use_cases as all_use_cases

    package, entry = "lockstep.contract", "SCORED_EVENTS"
    for name in use_cases or ():
        load_use_case(package, name, entry=entry)
    lake = Lake.at(Settings().lake)
    is_refused = False
    for name in use_cases or all_use_cases(package, entry=entry):
        refusal = parity_refusal(lake, name, feature_services(name))
        told = "no audit" if refusal is None else f"refused: {refusal}" if refusal else "passed"
        typer.secho(f"{name}: {told}", bold=bool(refusal))
        is_refused |= bool(refusal)
    if is_refused:
        raise typer.Exit(_REFUSED)
