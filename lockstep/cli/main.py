"""The entry point: one subcommand group a module, errors in one line with exit code 2."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from pydantic import ValidationError

from lockstep.cli import (
    apply,
    audit,
    backtest,
    build,
    compile,
    correct,
    demo,
    drift,
    evaluate,
    exporter,
    forget,
    freshness,
    freshness_cost,
    gate,
    generate,
    ingest,
    keys,
    lake,
    ledger,
    log,
    materialize,
    promote,
    redis,
    score,
    serve,
    train,
    validate,
    walk_forward,
)
from lockstep.cli.errors import FileSystemError, SettingsError
from lockstep.cli.own_options import ANY_OPTIONS
from lockstep.errors import LockstepError

app = typer.Typer(
    help="Features that are the same number in training and in serving.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("generate", context_settings=ANY_OPTIONS)(generate.generate)
app.command("ingest", context_settings=ANY_OPTIONS)(ingest.ingest)
app.command("apply")(apply.apply)
app.command("build")(build.build)
app.command("validate")(validate.validate)
app.command("materialize")(materialize.materialize)
app.command("freshness")(freshness.freshness)
app.command("freshness-cost")(freshness_cost.freshness_cost)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("promote")(promote.promote)
app.command("gate")(gate.gate)
app.command("backtest")(backtest.backtest)
app.command("walk-forward")(walk_forward.walk_forward)
app.command("score")(score.score)
app.command("compile")(compile.compile_definitions)
app.command("serve")(serve.serve)
app.command("audit")(audit.audit)
app.command("drift")(drift.drift)
app.command("correct")(correct.correct)
app.command("forget")(forget.forget)
app.command("exporter")(exporter.exporter)
app.command("demo", context_settings=ANY_OPTIONS)(demo.demo)
app.add_typer(lake.app, name="lake")
app.add_typer(ledger.app, name="ledger")
app.add_typer(log.app, name="log")
app.add_typer(keys.app, name="keys")
app.add_typer(redis.app, name="redis")


def main() -> None:
    """Runs the command line."""
    try:
        app()
    except LockstepError as error:
        _fail(error)
    except ValidationError as error:
        if not error.title.endswith("Settings"):
            raise
        _fail(SettingsError.invalid(error))
    except OSError as error:
        _fail(FileSystemError.refused(error))


def _fail(error: LockstepError) -> NoReturn:
    typer.echo(f"lockstep: {error}", err=True)
    sys.exit(2)
