"""`lockstep demo`: the whole way of one data set, and the proof at its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import polars as pl

    from lockstep.cli.demo_parts.api import Api
    from lockstep.settings import Settings

_START = datetime(2018, 4, 1, tzinfo=UTC)
_CUTS = 6


def demo(
    customers: Annotated[int, typer.Option(help="Cards to simulate.", min=10)] = 1000,
    terminals: Annotated[int, typer.Option(help="Terminals to simulate.", min=10)] = 2000,
    days: Annotated[int, typer.Option(help="Days of transactions.", min=40)] = 120,
    requests: Annotated[int, typer.Option(help="Predictions to ask for.", min=_CUTS)] = 1200,
    seed: Annotated[int, typer.Option(help="Seed of the simulation and of the model.")] = 7,
) -> None:
    """Takes card fraud from raw transactions to served scores, then compares both sides."""
    import os

    from lockstep.cli.demo_parts.commands import lockstep, shown
    from lockstep.cli.demo_parts.prepare import prepare
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from lockstep.stores.embedded_redis import embedded_redis

    settings = Settings()
    prepare(settings.home_dir, Lake.at(settings.lake))
    raw = settings.home_dir / "raw" / "fraud.parquet"
    size = ("--customers", str(customers), "--terminals", str(terminals), "--days", str(days))
    with shown("1. Simulate card transactions after the Fraud Detection Handbook"):
        lockstep("generate", "fraud", *size, "--seed", str(seed), "--out", str(raw))
    with shown("2. Validate them into the lake"):
        lockstep("ingest", "fraud", "--from", str(raw))
    with shown("3. Build the windows of customers and terminals as step functions"):
        lockstep("build", "fraud")
    with embedded_redis(data_dir=settings.home_dir / "redis") as url:
        os.environ["REDIS_URL"] = url
        _learn_and_serve(settings, _START + timedelta(days=days), requests, seed)


def _learn_and_serve(settings: Settings, end: datetime, requests: int, seed: int) -> None:
    from lockstep.cli.demo_parts.api import serving
    from lockstep.cli.demo_parts.commands import feast, indented, lockstep, shown
    from lockstep.cli.demo_parts.proof import prove

    cuts = [end - timedelta(hours=12 * (k + 1)) for k in reversed(range(_CUTS))]
    # The API starts now and is ready once there is a model: its imports overlap with training.
    with serving(settings.home_dir / "serve.log") as api:
        with shown("4. Register the feature definitions with Feast"):
            typer.echo(indented(feast(settings.feature_repo_dir, "apply")))
        with shown("5. Train on what was known before the first cut"):
            lockstep("train", "fraud", "--as-of", cuts[0].isoformat(), "--seed", str(seed))
        with shown(f"6. Materialise to Redis at {_CUTS} cuts and predict after each"):
            transactions, answers = _predict_after(settings, api, cuts, requests // _CUTS)
        with shown("7. Recompute the served features from the lake"):
            proof = prove(settings, transactions, answers)
    _report(settings, proof, answers)


def _predict_after(
    settings: Settings, api: Api, cuts: list[datetime], count: int
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    import polars as pl

    from lockstep.cli.demo_parts.commands import feast
    from lockstep.cli.demo_parts.requests import bodies, transactions_after
    from lockstep.cli.errors import DemoError
    from lockstep.lake.lake import Lake

    sent: list[pl.DataFrame] = []
    answers: list[dict[str, Any]] = []
    for cut in cuts:
        start, stop = _START.isoformat(), cut.isoformat()
        feast(settings.feature_repo_dir, "materialize", start, stop)
        api.wait_until_ready()
        sent.append(transactions_after(Lake.at(settings.lake), cut, count))
        if sent[-1].height < count:
            raise DemoError.too_few(sent[-1].height, count, cut)
        answers += api.post("/v1/fraud/predict", bodies(sent[-1]))
        typer.echo(f"  {len(answers):,} predictions over HTTP so far")
    return pl.concat(sent), answers


def _report(settings: Settings, proof: Any, answers: list[dict[str, Any]]) -> None:
    from lockstep.cli.errors import DemoError

    blocked = sum(answer["decision"] == "block" for answer in answers)
    typer.echo(
        f"  {proof.rows:,} predictions, {blocked:,} blocked; {proof.at_cut:,} pairs had moved on "
        "since their cut and were compared there"
    )
    typer.echo(f"  {proof.comparison.both_null:,} values were null on both sides")
    typer.secho(f"  {proof.comparison}", bold=True)
    if proof.comparison.mismatches:
        first = proof.comparison.mismatches[0]
        raise DemoError.mismatches(f"{proof.comparison}; the first is {first}")
    typer.echo(
        "\nOpen next (each keeps running; stop it with Ctrl-C):\n"
        "  make serve    the prediction API        http://127.0.0.1:8000\n"
        "  make ui       the features in Feast     http://127.0.0.1:8888\n"
        "  make mlflow   the model and its metrics http://127.0.0.1:5000\n"
        f"The data is in {settings.home_dir}; `make clean` forgets it."
    )
