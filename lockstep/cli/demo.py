"""`lockstep demo`: the whole way of one data set, and the proof at its end."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from lockstep.cli.demo_parts.api import Api
    from lockstep.contract.scored_events import ScoredEvents
    from lockstep.settings import Settings

_CUTS = 6


def demo(
    context: typer.Context,
    use_case: Annotated[str, typer.Option(help="Whose way to go.")] = "fraud",
    requests: Annotated[int, typer.Option(help="Predictions to ask for.", min=_CUTS)] = 1200,
    seed: Annotated[int, typer.Option(help="Seed of the data and of the model.")] = 7,
) -> None:
    """Takes generated data from raw rows to served scores, then compares both sides.

    Further options are those of `lockstep generate USE_CASE`, such as --days.
    """
    import os

    from lockstep.cli.demo_parts.commands import lockstep, shown
    from lockstep.cli.demo_parts.prepare import prepare
    from lockstep.cli.own_options import called_with
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from lockstep.stores.embedded_redis import embedded_redis
    from lockstep.use_cases import load_use_case

    contract = load_use_case("lockstep.contract", use_case, entry="SCORED_EVENTS")
    generator = load_use_case("lockstep.jobs.generate", use_case, entry="generate_frames")
    # What cannot be generated is said before the last demo's data are cleared away.
    called_with(generator.Options, [*context.args, "--seed", str(seed)])
    settings = Settings()
    prepare(settings.home_dir, Lake.at(settings.lake))
    raw = str(settings.home_dir / "raw" / f"{use_case}.parquet")
    with shown("1. Generate raw data"):
        lockstep("generate", use_case, *context.args, "--seed", str(seed), "--out", raw)
    with shown("2. Validate it into the lake"):
        lockstep("ingest", use_case, "--from", raw)
    with shown("3. Build the windows as step functions"):
        lockstep("build", use_case)
    with embedded_redis(data_dir=settings.home_dir / "redis") as url:
        os.environ["REDIS_URL"] = url
        _learn_and_serve(settings, use_case, contract.SCORED_EVENTS, requests, seed)


def _learn_and_serve(
    settings: Settings, use_case: str, events: ScoredEvents, requests: int, seed: int
) -> None:
    import polars as pl

    from lockstep.cli.demo_parts.api import serving
    from lockstep.cli.demo_parts.champion import has_champion
    from lockstep.cli.demo_parts.commands import feast, indented, lockstep, shown
    from lockstep.cli.demo_parts.proof import prove
    from lockstep.cli.demo_parts.requests import cuts_at_the_end
    from lockstep.cli.errors import DemoError
    from lockstep.lake.lake import Lake

    first, cuts = cuts_at_the_end(Lake.at(settings.lake), events, _CUTS)
    # The API starts now and is ready once there is a model: its imports overlap with training.
    with serving(settings.home_dir / "serve.log") as api:
        with shown("4. Register the feature definitions with Feast"):
            typer.echo(indented(feast(settings.feature_repo_dir, "apply")))
        with shown("5. Train on what was known before the first cut"):
            as_of = ("--as-of", cuts[0].isoformat())
            lockstep("train", use_case, *as_of, "--seed", str(seed))
            if not has_champion(settings, use_case):
                typer.echo("  So that serving can be shown, it is promoted all the same:")
                lockstep("promote", use_case, "--force", *as_of)
        asked, answers = [], list[dict[str, Any]]()
        with shown(f"6. Materialise to Redis at {_CUTS} cuts and predict after each"):
            for cut in cuts:
                interval = (first.isoformat(), cut.isoformat())
                feast(settings.feature_repo_dir, "materialize", *interval)
                rows, told = _predicted(settings, api, use_case, events, cut, requests // _CUTS)
                asked.append(rows)
                answers += told
                typer.echo(f"  {len(answers):,} predictions over HTTP so far")
        with shown("7. Recompute the served features from the lake"):
            proof = prove(settings, use_case, pl.concat(asked), answers)
    _report(proof, answers)
    # The API has ended: all that it served is in its log.
    report = settings.home_dir / "audit.html"
    with shown("8. Audit the log of what was served: each difference has its cause"):
        if code := lockstep("audit", use_case, "--html", str(report)):
            raise DemoError.audit_refused(code)
    _open_next(settings, report)


def _predicted(
    settings: Settings,
    api: Api,
    use_case: str,
    events: ScoredEvents,
    cut: datetime,
    count: int,
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    from lockstep.cli.demo_parts.requests import bodies, events_after
    from lockstep.cli.errors import DemoError
    from lockstep.lake.lake import Lake

    api.wait_until_ready()
    rows = events_after(Lake.at(settings.lake), events, cut, count)
    if rows.is_empty():
        raise DemoError.no_events(events.table, cut)
    return rows, list(api.post(f"/v1/{use_case}/predict", bodies(events, rows)))


def _report(proof: Any, answers: list[dict[str, Any]]) -> None:
    from collections import Counter

    from lockstep.cli.errors import DemoError

    decisions = Counter(answer["decision"] for answer in answers if "decision" in answer)
    told = [f"{count:,} {decision}" for decision, count in decisions.most_common()]
    typer.echo(
        f"  {', '.join([f'{proof.rows:,} predictions', *told])}; {proof.at_cut:,} rows had moved "
        "on since their cut and were compared there"
    )
    typer.echo(f"  {proof.comparison.both_null:,} values were null on both sides")
    typer.secho(f"  {proof.comparison}", bold=True)
    if proof.comparison.mismatches:
        first = proof.comparison.mismatches[0]
        raise DemoError.mismatches(f"{proof.comparison}; the first is {first}")


def _open_next(settings: Settings, report: Path) -> None:
    typer.echo(
        f"\nThe audit as a page: {report}\n"
        "Open next (each keeps running; stop it with Ctrl-C):\n"
        "  make serve    the prediction API        http://127.0.0.1:8000\n"
        "  make ui       the features in Feast     http://127.0.0.1:8888\n"
        "  make mlflow   the model and its metrics http://127.0.0.1:5000\n"
        f"The data is in {settings.home_dir}; `make clean` forgets it."
    )
